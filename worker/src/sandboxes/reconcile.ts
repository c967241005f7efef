import type { Heartbeat, HeartbeatReply } from "#contract/host";
import type { By } from "../audit/store.ts";
import type { Clock } from "../context.ts";
import type { Db } from "../db/client.ts";
import { decide } from "./reconcile-decide.ts";
import { endAll, listUnendedOnHost, markRunning } from "./store.ts";

/**
 * Brings the rows of one host and what it runs together. What the reply acknowledges is recorded by then.
 * @param times.signedAtMs when the heartbeat was signed, by the host's clock
 * @param times.arrivedAtMs when it came in, by ours
 */
export async function reconcile(
  deps: { db: Db; now: Clock },
  heartbeat: Heartbeat,
  times: { signedAtMs: number; arrivedAtMs: number },
): Promise<HeartbeatReply> {
  const nowMs = deps.now();
  const rows = await listUnendedOnHost(deps.db, heartbeat.hostId);
  // The host signs as it sends, so the difference of the clocks is known to within one trip. Waiting here for a body
  // or the database is not part of it: the snapshot would seem newer than it is, and what began meanwhile missing.
  const clockOffsetMs = times.arrivedAtMs - times.signedAtMs;
  const decision = decide({ heartbeat, rows, nowMs, clockOffsetMs });
  const by: By = { actor: `host:${heartbeat.hostId}`, requestId: null };
  await endAll(deps.db, decision.ends, { by, nowMs });
  for (const row of decision.running) await markRunning(deps.db, row.tenantId, [row.id], nowMs);
  return decision.reply;
}
