import { and, isNull, type SQL, sql } from "drizzle-orm";
import type { SandboxId, TenantId } from "#contract/ids";
import type { Db } from "../db/client.ts";
import { reservations } from "../db/schema.ts";

export type NewReservation = { id: string; sandboxId: SandboxId; expiresAtMs: number };

/** How many sandboxes the tenant of a row of `tenant_plans` may have at once. */
export const concurrentSandboxes = sql.raw("json_extract(limits, '$.concurrentSandboxes')");

// Statements, not calls: each is one part of the caller's batch, so that a slot and what it is for change together.

/**
 * Takes a slot if fewer than the tenant's limit are held, and the condition holds: one statement, so parallel takers
 * cannot both get the last.
 */
export function reserveStatement(
  db: Db,
  tenantId: TenantId,
  reservation: NewReservation,
  condition: SQL = sql`TRUE`,
) {
  return db.run(sql`
    INSERT INTO reservations (id, tenant_id, sandbox_id, expires_at_ms)
    SELECT ${reservation.id}, ${tenantId}, ${reservation.sandboxId}, ${reservation.expiresAtMs}
    WHERE (SELECT count(*) FROM reservations WHERE tenant_id = ${tenantId} AND released_at_ms IS NULL)
        < (SELECT ${concurrentSandboxes} FROM tenant_plans WHERE tenant_id = ${tenantId})
      AND ${condition}`);
}

/** Takes a slot for each of many if there is room for all of them, and the condition holds: again one statement. */
export function reserveAllStatement(
  db: Db,
  tenantId: TenantId,
  slots: readonly NewReservation[],
  condition: SQL = sql`TRUE`,
) {
  return db.run(sql`
    INSERT INTO reservations (id, tenant_id, sandbox_id, expires_at_ms)
    SELECT json_extract(value, '$.id'), ${tenantId}, json_extract(value, '$.sandboxId'),
      json_extract(value, '$.expiresAtMs')
    FROM json_each(${JSON.stringify(slots)})
    WHERE (SELECT count(*) FROM reservations WHERE tenant_id = ${tenantId} AND released_at_ms IS NULL)
        + ${slots.length} <= (SELECT ${concurrentSandboxes} FROM tenant_plans WHERE tenant_id = ${tenantId})
      AND ${condition}`);
}

/** Gives the slot of an ended sandbox back; held it stays for one that may still live. */
export function releaseEndedStatement(db: Db, tenantId: TenantId, sandboxId: SandboxId, nowMs: number) {
  return db.run(sql`
    UPDATE reservations SET released_at_ms = ${nowMs}
    WHERE tenant_id = ${tenantId} AND sandbox_id = ${sandboxId} AND released_at_ms IS NULL
      AND EXISTS (SELECT 1 FROM sandboxes WHERE id = ${sandboxId} AND ended_at_ms IS NOT NULL)`);
}

/** Follows the deadline that the sandbox has by now. */
export function followDeadlineStatement(db: Db, tenantId: TenantId, sandboxId: SandboxId) {
  return db.run(sql`
    UPDATE reservations
    SET expires_at_ms = (SELECT expires_at_ms FROM sandboxes WHERE id = ${sandboxId} AND tenant_id = ${tenantId})
    WHERE tenant_id = ${tenantId} AND sandbox_id = ${sandboxId} AND released_at_ms IS NULL
      AND EXISTS (SELECT 1 FROM sandboxes WHERE id = ${sandboxId} AND tenant_id = ${tenantId})`);
}

/** Moves a held slot to another sandbox id, when the sandbox itself has been moved. */
export function moveReservationStatement(db: Db, tenantId: TenantId, from: SandboxId, to: SandboxId) {
  return db.run(sql`
    UPDATE reservations SET sandbox_id = ${to}
    WHERE tenant_id = ${tenantId} AND sandbox_id = ${from} AND released_at_ms IS NULL
      AND EXISTS (SELECT 1 FROM sandboxes WHERE id = ${to} AND tenant_id = ${tenantId})`);
}

export async function slotsOf(db: Db, tenantId: TenantId): Promise<{ limit: number; used: number }> {
  const rows = await db.all<{ slotLimit: number; used: number }>(sql`
    SELECT ${concurrentSandboxes} AS slotLimit,
      (SELECT count(*) FROM reservations WHERE tenant_id = ${tenantId} AND released_at_ms IS NULL) AS used
    FROM tenant_plans WHERE tenant_id = ${tenantId}`);
  return { limit: rows[0]?.slotLimit ?? 0, used: rows[0]?.used ?? 0 };
}

/** Releases, over all tenants, what nobody confirmed within the grace after its deadline. Returns how many. */
export async function releaseOverdue(db: Db, times: { overdueBeforeMs: number; nowMs: number }) {
  const rows = await db
    .update(reservations)
    .set({ releasedAtMs: times.nowMs })
    .where(
      and(isNull(reservations.releasedAtMs), sql`${reservations.expiresAtMs} < ${times.overdueBeforeMs}`),
    )
    .returning({ id: reservations.id });
  return rows.length;
}
