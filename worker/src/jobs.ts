import { pruneAudit } from "./audit/prune.ts";
import { sealAudit } from "./audit/seal.ts";
import type { Clock } from "./context.ts";
import type { LazyKey } from "./crypto.ts";
import type { Db } from "./db/client.ts";
import { prune } from "./db/prune-store.ts";
import { forget } from "./idempotency/forget.ts";
import { describeError, type Log } from "./log.ts";
import { sweepRuns } from "./runs/sweep.ts";
import { sweep } from "./sandboxes/sweep.ts";
import { removeTenants } from "./tenants/remove.ts";
import { closeMonths } from "./usage/close.ts";
import { settle } from "./usage/settle.ts";

type Deps = {
  db: Db;
  log: Log;
  now: Clock;
  auditKey: LazyKey;
  retentionMs: number;
  auditRetentionMs: number;
  tenantGraceMs: number;
};

/** Of each kind and per sweep: a backlog is worked off over several, and none holds the database for long. */
const prunedPerSweep = 1_000;

type Step = (name: string, run: () => Promise<unknown>) => Promise<unknown>;

/**
 * What is due regularly; a timer calls it on Node, a cron trigger at the edge. Never throws: a step that fails is logged,
 * and the others are done all the same. One event has the outcome of all.
 */
export async function runSweep(deps: Deps): Promise<void> {
  const startedAtMs = deps.now();
  const step: Step = async (name, run) => {
    try {
      return await run();
    } catch (error) {
      deps.log({ level: "error", event: "sweep", step: name, cause: describeError(error) });
      return "failed";
    }
  };
  const endedAtMs = startedAtMs - deps.retentionMs;
  const done = {
    sandboxes: await step("sandboxes", () => sweep(deps)),
    lost: await step("runs", () => sweepRuns(deps)),
    forgotten: await step("idempotency", () => forget(deps)),
    ledger: await step("ledger", () => settle(deps)),
    removedTenants: await step("tenants", () => removeTenants(deps)),
    pruned: await step("prune", () => prune(deps.db, { endedAtMs, rowsMax: prunedPerSweep })),
    prunedAudit: await step("audit", () => pruneAudit(deps)),
    closed: await step("statements", () => closeMonths(deps)),
    sealed: await step("seal", () => sealAudit(deps)),
  };
  deps.log({ level: "debug", event: "sweep", durationMs: deps.now() - startedAtMs, ...done });
}
