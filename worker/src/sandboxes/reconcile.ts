import type { Heartbeat, HeartbeatReply } from "#contract/host";
import type { Clock } from "../context.ts";
import type { Db } from "../db/client.ts";
import { decide } from "./reconcile-decide.ts";
import { endAll, listUnendedOnHost, markRunning } from "./store.ts";

/**
 * Brings the rows of one host and what it runs together. What the reply acknowledges is recorded by then.
 * @param signedAtMs when the heartbeat was signed, by the host's clock
 */
export async function reconcile(
  deps: { db: Db; now: Clock },
  heartbeat: Heartbeat,
  signedAtMs: number,
): Promise<HeartbeatReply> {
  const nowMs = deps.now();
  const rows = await listUnendedOnHost(deps.db, heartbeat.hostId);
  // The host signs as it sends, so the difference of the clocks is known to within one trip.
  const decision = decide({ heartbeat, rows, nowMs, clockOffsetMs: nowMs - signedAtMs });
  await endAll(deps.db, decision.ends, nowMs);
  for (const row of decision.running) await markRunning(deps.db, row.tenantId, row.id, nowMs);
  return decision.reply;
}
