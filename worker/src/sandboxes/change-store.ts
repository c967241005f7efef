import { and, eq, gt, inArray, sql } from "drizzle-orm";
import type { SandboxId, TenantId } from "#contract/ids";
import { auditStatement, type By } from "../audit/store.ts";
import type { Db } from "../db/client.ts";
import { sandboxes } from "../db/schema.ts";
import { resizeHoldStatement } from "../quota/resize-store.ts";
import { followDeadlineStatement } from "../quota/store.ts";
import type { SandboxRow } from "./store.ts";

export type Change = { lifetimeSeconds?: number; capMicros?: number; metadata?: Record<string, string> };

const changeable = ["creating", "running"] as const;

/**
 * The changed row, with its hold and its slot changed along. `undefined` when it is not there, not alive, the new
 * deadline would lie in the past, it has no cap to raise, or quotas and budgets have no room for what it needs more.
 */
export async function changeSandbox(
  db: Db,
  tenantId: TenantId,
  id: SandboxId,
  change: Change,
  { by, nowMs }: { by: By; nowMs: number },
): Promise<SandboxRow | undefined> {
  const { lifetimeSeconds, capMicros, metadata } = change;
  const lifetimeMs = lifetimeSeconds === undefined ? undefined : lifetimeSeconds * 1000;
  // Past its deadline, by whichever clock, the slot or the hold may have been given back: such a sandbox must not be
  // revived without them. Only what was made before there were holds has none at all.
  const isAlive = and(
    eq(sandboxes.tenantId, tenantId),
    eq(sandboxes.id, id),
    inArray(sandboxes.state, [...changeable]),
    gt(sandboxes.expiresAtMs, nowMs),
    lifetimeMs === undefined ? undefined : sql`${sandboxes.createdAtMs} + ${lifetimeMs} > ${nowMs}`,
    capMicros === undefined ? undefined : sql`${sandboxes.capMicros} <= ${capMicros}`,
    sql`EXISTS (SELECT 1 FROM reservations WHERE sandbox_id = ${id} AND released_at_ms IS NULL)`,
    sql`NOT EXISTS (SELECT 1 FROM holds WHERE sandbox_id = ${id} AND settled_at_ms IS NOT NULL)`,
  );
  // What was made before there were holds has none, and one that is not large enough was not granted more.
  const isHeld = sql`NOT EXISTS (
    SELECT 1 FROM holds WHERE sandbox_id = ${id} AND settled_at_ms IS NULL
      AND (lifetime_seconds <> ${lifetimeSeconds ?? sandboxes.lifetimeSeconds}
        OR cap_micros IS NOT ${capMicros ?? sandboxes.capMicros}))`;
  const aliveNow = sql`EXISTS (SELECT 1 FROM sandboxes WHERE ${isAlive})`;
  const [, rows] = await db.batch([
    resizeHoldStatement(db, tenantId, id, { ...change, nowMs, condition: aliveNow }),
    db
      .update(sandboxes)
      .set({
        ...change,
        ...(lifetimeMs !== undefined && { expiresAtMs: sql`${sandboxes.createdAtMs} + ${lifetimeMs}` }),
      })
      .where(and(isAlive, isHeld))
      .returning(),
    auditStatement(db, {
      tenantId,
      atMs: nowMs,
      ...by,
      action: "sandbox.changed",
      subject: id,
      details: {
        ...(lifetimeSeconds !== undefined && { lifetimeSeconds }),
        ...(capMicros !== undefined && { capMicros }),
        ...(metadata && { hasNewMetadata: true }),
      },
    }),
    followDeadlineStatement(db, tenantId, id),
  ]);
  return rows[0];
}
