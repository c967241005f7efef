import type { Clock } from "./context.ts";
import type { Db } from "./db/client.ts";
import { forget } from "./idempotency/forget.ts";
import { describeError, type Log } from "./log.ts";
import { sweepRuns } from "./runs/sweep.ts";
import { sweep } from "./sandboxes/sweep.ts";

type Deps = { db: Db; log: Log; now: Clock };

/** What is due regularly; a timer calls it on Node, a cron trigger at the edge. Logs one event, never throws. */
export async function runSweep(deps: Deps): Promise<void> {
  const startedAtMs = deps.now();
  try {
    const done = { ...(await sweep(deps)), lost: await sweepRuns(deps), forgotten: await forget(deps) };
    deps.log({ level: "debug", event: "sweep", durationMs: deps.now() - startedAtMs, ...done });
  } catch (error) {
    deps.log({ level: "error", event: "sweep", cause: describeError(error) });
  }
}
