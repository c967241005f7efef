import { type SQL, sql } from "drizzle-orm";
import type { TenantId } from "#contract/ids";
import { runStatesBefore } from "#contract/run";
import { statesBefore } from "#contract/sandbox";
import { auditStatement, type By } from "../audit/store.ts";
import type { Db } from "../db/client.ts";
import { runBatch, type Statement } from "../db/rider.ts";

type Change = { by: By; nowMs: number };
const isThere = (tenantId: TenantId) => sql`id = ${tenantId} AND removal_began_at_ms IS NULL`;

/**
 * Suspends a tenant and ends all that it has under way, in one batch: what is being created takes its slot before, and
 * is ended here, or after, and finds the tenant suspended. Whether it was this call that suspended it.
 */
export async function suspendRow(db: Db, tenantId: TenantId, change: Change): Promise<boolean> {
  const [changed] = await runBatch(db, [
    db.run(sql`
      UPDATE tenants SET suspended_at_ms = ${change.nowMs}
      WHERE ${isThere(tenantId)} AND suspended_at_ms IS NULL`),
    noteOf(db, tenantId, "tenant.suspended", change),
    ...endingStatements(db, tenantId, change.nowMs),
  ]);
  return changed === 1;
}

/** The same, for good when the grace is over. */
export async function deleteRow(db: Db, tenantId: TenantId, change: Change): Promise<boolean> {
  const { nowMs } = change;
  const [changed] = await runBatch(db, [
    db.run(sql`
      UPDATE tenants SET deleted_at_ms = ${nowMs}, suspended_at_ms = coalesce(suspended_at_ms, ${nowMs})
      WHERE ${isThere(tenantId)} AND deleted_at_ms IS NULL`),
    noteOf(db, tenantId, "tenant.deleted", change),
    ...endingStatements(db, tenantId, nowMs),
  ]);
  return changed === 1;
}

/** Lets a tenant go on. Whether there was anything to undo. */
export async function resumeRow(db: Db, tenantId: TenantId, change: Change): Promise<boolean> {
  const [changed] = await runBatch(db, [
    db.run(sql`
      UPDATE tenants SET suspended_at_ms = NULL, deleted_at_ms = NULL
      WHERE ${isThere(tenantId)} AND (suspended_at_ms IS NOT NULL OR deleted_at_ms IS NOT NULL)`),
    noteOf(db, tenantId, "tenant.resumed", change),
  ]);
  return changed === 1;
}

function noteOf(
  db: Db,
  tenantId: TenantId,
  action: `tenant.${string}`,
  { by, nowMs }: Change,
  details: Record<string, string> = {},
): Statement {
  return auditStatement(db, { ...by, tenantId, atMs: nowMs, action, subject: tenantId, details });
}

/** Ends all runs of a tenant that is suspended by now, and condemns its sandboxes; their hosts hear within 5 s. */
function endingStatements(db: Db, tenantId: TenantId, nowMs: number): Statement[] {
  const isSuspended: SQL = sql`EXISTS (
    SELECT 1 FROM tenants WHERE tenants.id = ${tenantId} AND suspended_at_ms IS NOT NULL)`;
  return [
    db.run(sql`
      UPDATE runs SET state = 'canceled', end_reason = 'killed', ended_at_ms = ${nowMs}
      WHERE tenant_id = ${tenantId} AND state IN ${runStatesBefore("canceled")} AND ${isSuspended}`),
    db.run(sql`
      UPDATE sandboxes SET state = 'ending', end_reason = 'killed'
      WHERE tenant_id = ${tenantId} AND state IN ${statesBefore("ending")} AND ${isSuspended}`),
  ];
}
