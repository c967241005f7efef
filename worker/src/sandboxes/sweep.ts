import { limits } from "#contract/limits";
import type { EndReason } from "#contract/sandbox";
import { bySystem } from "../audit/store.ts";
import type { Clock } from "../context.ts";
import type { Db } from "../db/client.ts";
import { settleOrphans } from "../quota/holds-store.ts";
import { releaseOverdue } from "../quota/store.ts";
import { endAll, listOverdue, type OverdueRow } from "./store.ts";

const roundsMax = 20;

export type Swept = { ended: number; released: number /** Holds without a sandbox. */; orphaned: number };

/**
 * Settles what no host will: rows past their deadline on hosts that are not heard, and slots nobody confirmed.
 * Running it twice, or in two processes at once, changes nothing more.
 */
export async function sweep(deps: { db: Db; now: Clock }): Promise<Swept> {
  const nowMs = deps.now();
  const overdueBeforeMs = nowMs - limits.reservationGraceMs;
  const heardBeforeMs = nowMs - limits.hostSilentMs;
  let ended = 0;
  for (let round = 0; round < roundsMax; round++) {
    const rows = await listOverdue(deps.db, { overdueBeforeMs, heardBeforeMs });
    if (rows.length === 0) break;
    const ends = rows.map((overdue) => ({ row: overdue.row, end: endOf(overdue, nowMs) }));
    await endAll(deps.db, ends, { by: bySystem, nowMs });
    ended += rows.length;
  }
  const released = await releaseOverdue(deps.db, { overdueBeforeMs, nowMs });
  const orphaned = await settleOrphans(deps.db, { overdueBeforeMs, nowMs });
  return { ended, released, orphaned };
}

function endOf({ row, heartbeatAtMs }: OverdueRow, nowMs: number) {
  return {
    sandboxId: row.id,
    generation: row.generation,
    reason: reasonOf(row, heartbeatAtMs),
    endedAtMs: nowMs,
  };
}

/** A host that was heard after the deadline was there to keep it; of one that was not, nothing is known. */
function reasonOf(row: OverdueRow["row"], heartbeatAtMs: number | null): EndReason {
  if (row.state === "ending") return row.endReason ?? "killed";
  return heartbeatAtMs !== null && heartbeatAtMs >= row.expiresAtMs ? "lifetime" : "host_lost";
}
