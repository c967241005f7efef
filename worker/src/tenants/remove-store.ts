import { type SQL, sql } from "drizzle-orm";
import type { TenantId } from "#contract/ids";
import { auditStatement, bySystem } from "../audit/store.ts";
import type { Db } from "../db/client.ts";
import { runBatch } from "../db/rider.ts";

/** Deleted tenants whose grace was over by then, or whose removal was not finished. */
export async function listToRemove(
  db: Db,
  { deletedBeforeMs, max }: { deletedBeforeMs: number; max: number },
): Promise<TenantId[]> {
  const rows = await db.all<{ id: TenantId }>(sql`
    SELECT id FROM tenants
    WHERE removed_at_ms IS NULL AND deleted_at_ms IS NOT NULL AND deleted_at_ms <= ${deletedBeforeMs}
    ORDER BY removal_began_at_ms IS NOT NULL, deleted_at_ms LIMIT ${max}`);
  return rows.map(({ id }) => id);
}

/** From here on nothing brings the tenant back. Its name is free for another. Whether its removal is under way. */
export async function beginRemoval(
  db: Db,
  tenantId: TenantId,
  { deletedBeforeMs, nowMs }: { deletedBeforeMs: number; nowMs: number },
): Promise<void> {
  await runBatch(db, [
    db.run(sql`
      UPDATE tenants SET removal_began_at_ms = ${nowMs}, name = id, overrides = '{}'
      WHERE id = ${tenantId} AND removal_began_at_ms IS NULL AND deleted_at_ms <= ${deletedBeforeMs}`),
    auditStatement(db, {
      ...bySystem,
      tenantId,
      atMs: nowMs,
      action: "tenant.removed",
      subject: tenantId,
    }),
  ]);
}

/** What each bill of a month is made from stays until that month's statement is closed. */
const isBilled = (tenantId: TenantId) =>
  sql`month IN (SELECT month FROM statements WHERE tenant_id = ${tenantId})`;
/** A sandbox that may still live, or whose use may still be reported, is kept with what is held for it. */
const isOver = sql`ended_at_ms IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM reservations WHERE sandbox_id = sandboxes.id AND released_at_ms IS NULL)
  AND NOT EXISTS (SELECT 1 FROM holds WHERE sandbox_id = sandboxes.id AND settled_at_ms IS NULL)`;

/** Nothing was used in the month, and of nothing can it still be reported: there will be no statement. */
const isUnused = sql`(
  NOT EXISTS (SELECT 1 FROM usage_months u
    WHERE u.tenant_id = price_sheets.tenant_id AND u.month = price_sheets.month)
  AND NOT EXISTS (SELECT 1 FROM holds h WHERE h.tenant_id = price_sheets.tenant_id AND h.settled_at_ms IS NULL))`;

/** Every table with rows of tenants, and which of them go; statements and audit are kept. */
const goesOf = (tenantId: TenantId): readonly (readonly [table: string, condition: SQL])[] => [
  ["idempotency", sql`TRUE`],
  ["runs", sql`ended_at_ms IS NOT NULL`],
  ["stored_output", sql`TRUE`],
  ["sandboxes", isOver],
  ["reservations", sql`released_at_ms IS NOT NULL`],
  ["holds", sql`settled_at_ms IS NOT NULL`],
  ["creates_by_day", sql`TRUE`],
  ["usage_events", isBilled(tenantId)],
  ["usage_hours", isBilled(tenantId)],
  ["usage_months", isBilled(tenantId)],
  ["price_sheets", isUnused],
  ["keys", sql`TRUE`],
];
/** Tables that are looked through by two partial indexes: a question about both of their parts would read all rows. */
const partsOf: Record<string, readonly SQL[]> = {
  reservations: [sql`released_at_ms IS NULL`, sql`released_at_ms IS NOT NULL`],
  holds: [sql`settled_at_ms IS NULL`, sql`settled_at_ms IS NOT NULL`],
};
/** Their key is all of their columns, so they have no row number to be chosen by; they are few. */
const withoutRowId = new Set([
  "stored_output",
  "creates_by_day",
  "usage_hours",
  "usage_months",
  "price_sheets",
]);

/** Of each kind so many rows at a time. How many went, and whether nothing that has to go is left. */
export async function removeSome(
  db: Db,
  tenantId: TenantId,
  { rowsMax, nowMs }: { rowsMax: number; nowMs: number },
): Promise<{ removed: number; isDone: boolean }> {
  const mayGo = sql`EXISTS (
    SELECT 1 FROM tenants WHERE tenants.id = ${tenantId} AND removal_began_at_ms IS NOT NULL)`;
  const goes = goesOf(tenantId);
  const deletions = goes.map(([table, condition]) => {
    const name = sql.raw(table);
    const where = sql`tenant_id = ${tenantId} AND ${mayGo} AND ${condition}`;
    return withoutRowId.has(table)
      ? db.run(sql`DELETE FROM ${name} WHERE ${where}`)
      : db.run(sql`DELETE FROM ${name} WHERE rowid IN (
          SELECT rowid FROM ${name} WHERE ${where} LIMIT ${rowsMax})`);
  });
  const isEmpty = goes.flatMap(([table]) =>
    (partsOf[table] ?? [sql`TRUE`]).map(
      (part) => sql`NOT EXISTS (SELECT 1 FROM ${sql.raw(table)} WHERE tenant_id = ${tenantId} AND ${part})`,
    ),
  );
  const changed = await runBatch(db, [
    ...deletions,
    db.run(sql`
      UPDATE tenants SET removed_at_ms = ${nowMs}
      WHERE id = ${tenantId} AND removal_began_at_ms IS NOT NULL AND removed_at_ms IS NULL
        AND ${sql.join(isEmpty, sql` AND `)}`),
  ]);
  const isDone = changed.pop() === 1;
  return { removed: changed.reduce((sum, n) => sum + n, 0), isDone };
}
