import type { Clock } from "./context.ts";
import type { Db } from "./db/client.ts";
import { prune } from "./db/prune-store.ts";
import { forget } from "./idempotency/forget.ts";
import { describeError, type Log } from "./log.ts";
import { sweepRuns } from "./runs/sweep.ts";
import { sweep } from "./sandboxes/sweep.ts";
import { removeTenants } from "./tenants/remove.ts";
import { settle } from "./usage/settle.ts";

type Deps = { db: Db; log: Log; now: Clock; retentionMs: number; tenantGraceMs: number };

/** Of each kind and per sweep: a backlog is worked off over several, and none holds the database for long. */
const prunedPerSweep = 1_000;

/** What is due regularly; a timer calls it on Node, a cron trigger at the edge. Logs one event, never throws. */
export async function runSweep(deps: Deps): Promise<void> {
  const startedAtMs = deps.now();
  try {
    const done = { ...(await sweep(deps)), lost: await sweepRuns(deps), forgotten: await forget(deps) };
    const ledger = await settle(deps);
    const removedTenants = await removeTenants(deps);
    const endedAtMs = startedAtMs - deps.retentionMs;
    const pruned = await prune(deps.db, { endedAtMs, rowsMax: prunedPerSweep });
    deps.log({
      level: "debug",
      event: "sweep",
      durationMs: deps.now() - startedAtMs,
      ...done,
      removedTenants,
      pruned,
      ledger,
    });
  } catch (error) {
    deps.log({ level: "error", event: "sweep", cause: describeError(error) });
  }
}
