import { type SQL, sql } from "drizzle-orm";
import type { RunId, SandboxId, TenantId } from "#contract/ids";
import type { Db } from "../db/client.ts";
import type { Statement } from "../db/rider.ts";

// Statements, not calls: each is one part of the caller's batch, so that a hold and what it is for change together.

/** Moves a hold to the id that the sandbox itself has been moved to. */
export function moveHoldStatement(
  db: Db,
  tenantId: TenantId,
  from: SandboxId,
  to: { id: SandboxId },
): Statement {
  return db.run(sql`
    UPDATE holds SET sandbox_id = ${to.id}
    WHERE sandbox_id = ${from} AND tenant_id = ${tenantId} AND settled_at_ms IS NULL
      AND EXISTS (SELECT 1 FROM sandboxes WHERE id = ${to.id} AND tenant_id = ${tenantId})`);
}

/**
 * Hands what was held for a queued run on to its sandbox, while the run still has its slot and its tenant may work.
 * @param to.condition what else must hold
 */
export function adoptHoldStatement(
  db: Db,
  tenantId: TenantId,
  from: RunId,
  to: { id: SandboxId; expiresAtMs: number; condition?: SQL | undefined },
): Statement {
  return db.run(sql`
    UPDATE holds SET sandbox_id = ${to.id}, expires_at_ms = ${to.expiresAtMs}
    WHERE sandbox_id = ${from} AND tenant_id = ${tenantId} AND settled_at_ms IS NULL
      AND EXISTS (SELECT 1 FROM reservations WHERE sandbox_id = ${from} AND released_at_ms IS NULL)
      AND EXISTS (SELECT 1 FROM tenants
        WHERE id = ${tenantId} AND suspended_at_ms IS NULL AND deleted_at_ms IS NULL)
      AND ${to.condition ?? sql`TRUE`}`);
}

/**
 * Gives back all that was taken for what never was: its hold and its place among the creates of its day, once. Nothing
 * of it can have been metered, so nothing is left to settle.
 * @param condition that it has ended, and never was
 */
export function takeBackStatements(
  db: Db,
  tenantId: TenantId,
  id: SandboxId | RunId,
  condition: SQL,
): [Statement, Statement] {
  const untouched = sql`
    sandbox_id = ${id} AND tenant_id = ${tenantId} AND settled_at_ms IS NULL AND events_seen = 0 AND ${condition}`;
  return [
    // First, while the hold still says on which day it was counted.
    db.run(sql`
      UPDATE creates_by_day SET creates = creates - 1
      WHERE tenant_id = ${tenantId} AND day = (
        SELECT strftime('%Y-%m-%d', created_at_ms / 1000, 'unixepoch') FROM holds WHERE ${untouched})`),
    db.run(sql`DELETE FROM holds WHERE ${untouched}`),
  ];
}

const orphansPerSweep = 500;

/**
 * Settles open holds past their deadline that no sandbox and no queued run stands behind, a bounded number at a time:
 * those of runs that were ended with all of their tenant's, or rows that were deleted by hand. Returns how many.
 */
export async function settleOrphans(db: Db, times: { overdueBeforeMs: number; nowMs: number }) {
  const orphans = sql`sandbox_id IN (
    SELECT sandbox_id FROM holds h
    WHERE settled_at_ms IS NULL AND expires_at_ms < ${times.overdueBeforeMs}
      AND NOT EXISTS (SELECT 1 FROM sandboxes WHERE id = h.sandbox_id)
      AND NOT EXISTS (SELECT 1 FROM runs WHERE id = h.sandbox_id AND ended_at_ms IS NULL)
    LIMIT ${orphansPerSweep})`;
  const settled = await db.run(sql`
    UPDATE holds SET settled_at_ms = ${times.nowMs} WHERE settled_at_ms IS NULL AND ${orphans}`);
  return settled.rowsAffected;
}
