import { and, isNull, type SQL, sql } from "drizzle-orm";
import type { RunId, SandboxId, TenantId } from "#contract/ids";
import type { Db } from "../db/client.ts";
import type { Statement } from "../db/rider.ts";
import { reservations } from "../db/schema.ts";

export type NewReservation = { id: string; sandboxId: SandboxId | RunId; expiresAtMs: number };

/** How many sandboxes the tenant of a row of `tenant_plans` may have at once. */
const concurrentSandboxes = sql.raw("json_extract(limits, '$.concurrentSandboxes')");

// Statements, not calls: each is one part of the caller's batch, so that a slot and what it is for change together.

/** Takes a slot for each, in the batch that has admitted them. */
export function reserveStatement(
  db: Db,
  tenantId: TenantId,
  slots: readonly NewReservation[],
  isAdmitted: SQL,
): Statement {
  return db.run(sql`
    INSERT INTO reservations (id, tenant_id, sandbox_id, expires_at_ms)
    SELECT value->>'id', ${tenantId}, value->>'sandboxId', value->>'expiresAtMs'
    FROM json_each(${JSON.stringify(slots)}) WHERE ${isAdmitted}`);
}

/** Hands the slot of a queued run on to its sandbox. */
export function adoptReservationStatement(
  db: Db,
  tenantId: TenantId,
  from: RunId,
  to: { id: SandboxId; expiresAtMs: number; isAdmitted: SQL },
): Statement {
  return db.run(sql`
    UPDATE reservations SET sandbox_id = ${to.id}, expires_at_ms = ${to.expiresAtMs}
    WHERE sandbox_id = ${from} AND tenant_id = ${tenantId} AND released_at_ms IS NULL AND ${to.isAdmitted}`);
}

/** Gives the slot of a run back that has ended without a sandbox. */
export function releaseRunStatement(db: Db, tenantId: TenantId, id: RunId, nowMs: number): Statement {
  return db.run(sql`
    UPDATE reservations SET released_at_ms = ${nowMs}
    WHERE tenant_id = ${tenantId} AND sandbox_id = ${id} AND released_at_ms IS NULL
      AND EXISTS (SELECT 1 FROM runs WHERE id = ${id} AND ended_at_ms IS NOT NULL)`);
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

/** Whether its slot is held: not given back, as it is some time after the deadline. */
export async function hasSlot(db: Db, tenantId: TenantId, sandboxId: SandboxId): Promise<boolean> {
  const rows = await db.all(sql`
    SELECT 1 FROM reservations
    WHERE tenant_id = ${tenantId} AND sandbox_id = ${sandboxId} AND released_at_ms IS NULL`);
  return rows.length > 0;
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
