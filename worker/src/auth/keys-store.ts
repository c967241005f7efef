import { and, eq, isNull, type SQL, sql } from "drizzle-orm";
import type { KeyId, TenantId } from "#contract/ids";
import { limits } from "#contract/limits";
import { auditStatement, type By } from "../audit/store.ts";
import type { Position } from "../cursor.ts";
import type { Db } from "../db/client.ts";
import { cutPage, newestFirst, older } from "../db/page.ts";
import { runBatch, type Statement } from "../db/rider.ts";
import { keys } from "../db/schema.ts";
import { type MadeRecord, madeStatements, notMadeYet } from "../idempotency/secret-store.ts";
import type { KeyRow } from "./store.ts";

export type NewKeyRow = Omit<KeyRow, "tenantId" | "revokedAtMs" | "lastUsedAtMs">;

const jsonOf = (value: unknown) => (value === null ? null : JSON.stringify(value));

/** A key and the note of it, as parts of a batch; neither where the condition does not hold. */
export function keyStatements(
  db: Db,
  tenantId: TenantId,
  made: { row: NewKeyRow; by: By; condition: SQL },
): Statement[] {
  const { row, by, condition } = made;
  return [
    db.run(sql`
      INSERT INTO keys (id, tenant_id, hash, prefix, name, scopes, created_at_ms, expires_at_ms, templates,
        monthly_cap_micros, rate)
      SELECT ${row.id}, ${tenantId}, ${row.hash}, ${row.prefix}, ${row.name}, ${JSON.stringify(row.scopes)},
        ${row.createdAtMs}, ${row.expiresAtMs}, ${jsonOf(row.templates)}, ${row.monthlyCapMicros}, ${jsonOf(row.rate)}
      WHERE ${condition}`),
    auditStatement(db, {
      ...by,
      tenantId,
      atMs: row.createdAtMs,
      action: "key.created",
      subject: row.id,
      details: { name: row.name, scopes: row.scopes.join(" ") },
    }),
  ];
}

/** Whose right to make the key must still be there as it is written: a cache may be five seconds behind. */
export type Maker = KeyId | "operator";

/** Whether the key was made: there is room for it, its maker may still do so, and no earlier request made it. */
export async function insertKey(
  db: Db,
  tenantId: TenantId,
  made: { row: NewKeyRow; by: By; maker: Maker; record: MadeRecord | null },
): Promise<boolean> {
  const { row, by, maker, record } = made;
  const mayMake =
    maker === "operator"
      ? sql`EXISTS (SELECT 1 FROM tenants WHERE id = ${tenantId} AND removal_began_at_ms IS NULL)`
      : sql`EXISTS (SELECT 1 FROM keys JOIN tenants ON tenants.id = keys.tenant_id
          WHERE keys.id = ${maker} AND tenant_id = ${tenantId} AND revoked_at_ms IS NULL
            AND (expires_at_ms IS NULL OR expires_at_ms > ${row.createdAtMs}) AND suspended_at_ms IS NULL)`;
  const condition = sql`${mayMake} AND ${notMadeYet(record)}
    AND (SELECT count(*) FROM keys WHERE tenant_id = ${tenantId} AND revoked_at_ms IS NULL) < ${limits.keysMax}`;
  const isMade = sql`EXISTS (SELECT 1 FROM keys WHERE id = ${row.id})`;
  const [inserted] = await runBatch(db, [
    ...keyStatements(db, tenantId, { row, by, condition }),
    ...madeStatements(db, tenantId, { record, resourceId: row.id, isMade }),
  ]);
  return inserted === 1;
}

export async function countKeys(db: Db, tenantId: TenantId): Promise<number> {
  return db.$count(keys, and(eq(keys.tenantId, tenantId), isNull(keys.revokedAtMs)));
}

/** Whether it was this call that revoked it. */
export async function revokeKeyRow(
  db: Db,
  tenantId: TenantId,
  revoked: { id: KeyId; by: By; nowMs: number },
): Promise<boolean> {
  const { id, by, nowMs } = revoked;
  const [changed] = await runBatch(db, [
    db.run(sql`
      UPDATE keys SET revoked_at_ms = ${nowMs}
      WHERE tenant_id = ${tenantId} AND id = ${id} AND revoked_at_ms IS NULL`),
    auditStatement(db, { ...by, tenantId, atMs: nowMs, action: "key.revoked", subject: id }),
  ]);
  return changed === 1;
}

export async function findKey(db: Db, tenantId: TenantId, id: KeyId): Promise<KeyRow | undefined> {
  const rows = await db
    .select()
    .from(keys)
    .where(and(eq(keys.tenantId, tenantId), eq(keys.id, id)));
  return rows[0];
}

/** For the operator, who may revoke anybody's. */
export async function findTenantOfKey(db: Db, id: KeyId): Promise<TenantId | undefined> {
  const rows = await db.select({ tenantId: keys.tenantId }).from(keys).where(eq(keys.id, id));
  return rows[0]?.tenantId;
}

/** A tenant's keys that are not revoked. */
export async function listKeyRows(
  db: Db,
  tenantId: TenantId,
  page: { limit: number; after: Position | undefined },
) {
  const rows = await db
    .select()
    .from(keys)
    .where(and(eq(keys.tenantId, tenantId), isNull(keys.revokedAtMs), older(keys, page.after)))
    .orderBy(...newestFirst(keys))
    .limit(page.limit + 1);
  return cutPage(rows, page.limit);
}
