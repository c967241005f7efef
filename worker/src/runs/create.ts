import { api } from "#contract/api";
import { newRunId, type RandomBytes, RunId } from "#contract/ids";
import { limits } from "#contract/limits";
import { type CreateRun, hasRunEnded, type Run } from "#contract/run";
import type { Ctx } from "../context.ts";
import { AppError } from "../errors.ts";
import { type Made, once } from "../idempotency/once.ts";
import { type Claim, claimRider } from "../idempotency/store.ts";
import { quotaExceeded } from "../quota/refuse.ts";
import { templateFor } from "../sandboxes/draft.ts";
import { type ExecuteDeps, executeRun } from "./execute.ts";
import { findRun, insertRun, type NewRun, type RunRow } from "./store.ts";
import { toRun } from "./view.ts";

type Deps = ExecuteDeps & Parameters<typeof once>[0] & { randomBytes: RandomBytes };
type Ask = { input: CreateRun; waitMs: number };

/**
 * Puts a run on record and begins it; answers with its end when that comes within the wait, else with what it is by
 * then. It goes on when the caller goes away. With a key, one run for all requests that carry it.
 * @throws AppError `template_not_found`, `quota_exceeded`, `no_capacity`: then there is no run
 */
export function createRun(
  deps: Deps,
  ctx: Ctx,
  { input, waitMs, asked }: Ask & { asked: Parameters<typeof once>[2] },
): Promise<Made<Run>> {
  return once<Run>(deps, ctx, asked, {
    deadlineMs: waitMs,
    make: async (claim) => answerOf(await begin(deps, ctx, { input, waitMs, claim })),
    async recover(resourceId) {
      const row = await findRun(deps.db, ctx.tenantId, RunId.parse(resourceId));
      return row ? answerOf(row) : null;
    },
  });
}

const { status, pendingStatus } = api.createRun;
const answerOf = (row: RunRow) => ({
  status: hasRunEnded(row.state) ? status : pendingStatus,
  result: toRun(row),
});

async function begin(
  deps: Deps,
  ctx: Ctx,
  { input, waitMs, claim }: Ask & { claim: Claim | null },
): Promise<RunRow> {
  const run = await draftOf(deps, ctx, input);
  const rider = claim ? claimRider<RunId>(deps.db, ctx.tenantId, claim) : undefined;
  if (!(await insertRun(deps.db, ctx.tenantId, run, rider))) {
    await rider?.explain();
    throw await quotaExceeded(deps.db, ctx.tenantId);
  }
  ctx.note("runId", run.id);
  const executed = executeRun(deps, ctx, { run, input });
  ctx.background("run", executed);
  await within(waitMs, executed);
  const row = await findRun(deps.db, ctx.tenantId, run.id);
  if (!row) throw new Error("A run was deleted while its caller waited.");
  return row;
}

async function draftOf(deps: Deps, ctx: Ctx, input: CreateRun): Promise<NewRun> {
  const template = await templateFor(deps.catalog, ctx, input.template);
  if ((await deps.directory.placeable()).length === 0) {
    throw new AppError("no_capacity", "There is no host at the moment. Try again soon.");
  }
  const createdAtMs = deps.now();
  const timeoutMs = input.timeoutMs ?? limits.runTimeoutMaxMs;
  return {
    id: newRunId(deps.randomBytes),
    template: template.name,
    cpu: input.cpu ?? template.cpu ?? deps.defaults.cpu,
    memoryMiB: input.memoryMiB ?? template.memoryMiB ?? deps.defaults.memoryMiB,
    timeoutMs,
    metadata: input.metadata ?? {},
    createdAtMs,
    deadlineAtMs:
      createdAtMs +
      limits.createDeadlineMs +
      limits.runFilesDeadlineMs +
      timeoutMs +
      limits.execGraceMs +
      limits.hostCallDeadlineMs +
      limits.runGraceMs,
  };
}

/** Waits for work, whose failure is somebody else's to tell, but not longer than this. */
async function within(waitMs: number, work: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, waitMs);
  });
  const settled = work.catch(() => undefined);
  await Promise.race([settled, late]).finally(() => clearTimeout(timer));
}
