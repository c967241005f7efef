import { api } from "#contract/api";
import { RunId } from "#contract/ids";
import { type CreateRun, hasRunEnded, type Run } from "#contract/run";
import { byCaller } from "../audit/by.ts";
import type { Ctx } from "../context.ts";
import { type Made, once } from "../idempotency/once.ts";
import { type Claim, claimRider } from "../idempotency/store.ts";
import { admit } from "../quota/admit.ts";
import { needFor } from "../quota/ask.ts";
import { type DraftDeps, draftOf } from "./draft.ts";
import { type ExecuteDeps, executeRun } from "./execute.ts";
import { findRun, insertRun, type RunRow } from "./store.ts";
import { toRun } from "./view.ts";

type Deps = ExecuteDeps & DraftDeps & Parameters<typeof once>[0];
type Ask = { input: CreateRun; waitMs: number };

/**
 * Puts a run on record and begins it; answers with its end when that comes within the wait, else with what it is by
 * then. It goes on when the caller goes away. With a key, one run for all requests that carry it.
 * @throws AppError `template_not_found`, `limit_exceeded`, `quota_exceeded`, `budget_exceeded`, `no_capacity`: then
 *   there is no run
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
  const draft = await draftOf(deps, ctx, input);
  const { run, diskMiB, admission, size } = draft;
  const rider = claim ? claimRider<RunId>(deps.db, ctx.tenantId, claim) : undefined;
  const by = byCaller(ctx);
  const need = needFor(admission);
  await admit(deps, ctx, { need, size, explain: rider?.explain }, (isUnmetered) =>
    insertRun(deps.db, ctx.tenantId, run, { admission: { ...admission, isUnmetered }, by, rider }),
  );
  ctx.note("runId", run.id);
  const executed = executeRun(deps, ctx, { run, diskMiB, input });
  ctx.background("run", executed);
  await within(waitMs, executed);
  const row = await findRun(deps.db, ctx.tenantId, run.id);
  if (!row) throw new Error("A run was deleted while its caller waited.");
  return row;
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
