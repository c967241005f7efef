import { type SQL, sql } from "drizzle-orm";
import type { TenantId } from "#contract/ids";
import type { Db } from "../db/client.ts";
import type { Statement } from "../db/rider.ts";

/** What is kept of a request that has shown a secret: whom it was for and what it made, never the answer. */
export type MadeRecord = { id: string; fingerprint: string; nowMs: number; forgottenBeforeMs: number };

/** A repetition is told so; there is no answer to be repeated. */
const repetitionStatus = 409;

/** A condition of making: nobody has made it with the same key. */
export function notMadeYet(record: MadeRecord | null): SQL {
  if (record === null) return sql`TRUE`;
  return sql`NOT EXISTS (SELECT 1 FROM idempotency
    WHERE id = ${record.id} AND created_at_ms > ${record.forgottenBeforeMs})`;
}

/** Keeps the record, in the batch that makes the resource and behind it; `isMade` says whether that made it. */
export function madeStatements(
  db: Db,
  tenantId: TenantId,
  made: { record: MadeRecord | null; resourceId: string; isMade: SQL },
): Statement[] {
  const { record, resourceId, isMade } = made;
  if (record === null) return [];
  return [
    db.run(sql`
      INSERT INTO idempotency (id, tenant_id, fingerprint, owner, lease_until_ms, resource_id, status, body,
        created_at_ms)
      SELECT ${record.id}, ${tenantId}, ${record.fingerprint}, ${resourceId}, ${record.nowMs}, ${resourceId},
        ${repetitionStatus}, 'null', ${record.nowMs}
      WHERE ${isMade}
      ON CONFLICT (id) DO UPDATE SET tenant_id = excluded.tenant_id, fingerprint = excluded.fingerprint,
        owner = excluded.owner, lease_until_ms = excluded.lease_until_ms, resource_id = excluded.resource_id,
        status = excluded.status, body = excluded.body, created_at_ms = excluded.created_at_ms`),
  ];
}

/** The record's id is a keyed hash over whose it is, so it needs no tenant to be found by. */
export async function findMade(db: Db, record: MadeRecord) {
  const rows = await db.all<{ fingerprint: string; resourceId: string }>(sql`
    SELECT fingerprint, resource_id AS resourceId FROM idempotency
    WHERE id = ${record.id} AND created_at_ms > ${record.forgottenBeforeMs}`);
  return rows[0];
}
