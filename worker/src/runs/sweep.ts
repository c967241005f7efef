import { bySystem } from "../audit/store.ts";
import type { Clock } from "../context.ts";
import type { Db } from "../db/client.ts";
import { endOfSilence } from "./outcome.ts";
import { endOverdue, listOverdueRuns } from "./store.ts";

const roundsMax = 20;

/**
 * Gives up runs that nobody ended by their deadline: whoever was at work is gone. They are not run again; their
 * sandboxes are ended by their hosts, which are told with the next heartbeat. Returns how many.
 */
export async function sweepRuns(deps: { db: Db; now: Clock }): Promise<number> {
  const nowMs = deps.now();
  const ending = { end: endOfSilence, by: bySystem, nowMs };
  let lost = 0;
  for (let round = 0; round < roundsMax; round++) {
    const overdue = await listOverdueRuns(deps.db, nowMs);
    if (overdue.length === 0) break;
    lost += await endOverdue(deps.db, overdue, { ...ending, overdueAtMs: nowMs });
  }
  return lost;
}
