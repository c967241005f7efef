import { sql } from "drizzle-orm";
import type { TenantId } from "#contract/ids";
import type { Db } from "../db/client.ts";
import { runBatch } from "../db/rider.ts";
import { sumsInto } from "./sums-store.ts";

/** Settles holds, over all tenants, whose last events nobody waits for any more, so many at most. Returns how many. */
export async function settleOverdue(
  db: Db,
  { overdueBeforeMs, nowMs, rowsMax }: { overdueBeforeMs: number; nowMs: number; rowsMax: number },
): Promise<number> {
  const settled = await db.run(sql`
    UPDATE holds SET settled_at_ms = ${nowMs}
    WHERE settled_at_ms IS NULL AND sandbox_id IN (
      SELECT sandbox_id FROM holds
      WHERE settled_at_ms IS NULL AND expires_at_ms < ${overdueBeforeMs} LIMIT ${rowsMax})`);
  return settled.rowsAffected;
}

/** Forgets, over all tenants, what was billed in months before this one, and holds that were settled before then. */
export async function pruneLedger(
  db: Db,
  { month, settledBeforeMs, rowsMax }: { month: string; settledBeforeMs: number; rowsMax: number },
): Promise<{ events: number; hours: number; holds: number }> {
  const events = await db.run(sql`
    DELETE FROM usage_events WHERE id IN (SELECT id FROM usage_events WHERE month < ${month} LIMIT ${rowsMax})`);
  const hours = await db.run(sql`
    DELETE FROM usage_hours WHERE (tenant_id, hour, month, template, key_id) IN (
      SELECT tenant_id, hour, month, template, key_id FROM usage_hours WHERE month < ${month} LIMIT ${rowsMax})`);
  const holds = await db.run(sql`
    DELETE FROM holds WHERE sandbox_id IN (
      SELECT sandbox_id FROM holds WHERE settled_at_ms < ${settledBeforeMs} LIMIT ${rowsMax})`);
  return { events: events.rowsAffected, hours: hours.rowsAffected, holds: holds.rowsAffected };
}

/** Makes the sums of one tenant anew from the ledger, from a month on. */
export async function rebuildSums(db: Db, tenantId: TenantId, fromMonth: string): Promise<void> {
  const condition = sql`tenant_id = ${tenantId} AND month >= ${fromMonth} AND is_written_off = 0`;
  await runBatch(db, [
    db.run(sql`DELETE FROM usage_hours WHERE tenant_id = ${tenantId} AND month >= ${fromMonth}`),
    db.run(sql`DELETE FROM usage_months WHERE tenant_id = ${tenantId} AND month >= ${fromMonth}`),
    db.run(sumsInto("usage_hours", condition)),
    db.run(sumsInto("usage_months", condition)),
  ]);
}
