import type { RunId } from "#contract/ids";
import type { Run } from "#contract/run";
import { byCaller } from "../audit/by.ts";
import type { Ctx } from "../context.ts";
import { AppError, runNotFound } from "../errors.ts";
import { deleteSandbox } from "../sandboxes/delete.ts";
import { endOfCancel } from "./outcome.ts";
import { endRun, findRun } from "./store.ts";
import { toRun } from "./view.ts";

type Deps = Parameters<typeof deleteSandbox>[0];

/**
 * Cancels a run that has not ended, and ends its sandbox, processes and all. To cancel it again changes nothing.
 * @throws AppError `run_not_found`; `run_ended` when it came to another end before
 */
export async function cancelRun(deps: Deps, ctx: Ctx, id: RunId): Promise<Run> {
  const ending = { id, end: endOfCancel, by: byCaller(ctx), nowMs: deps.now() };
  const isCanceled = await endRun(deps.db, ctx.tenantId, ending);
  const row = await findRun(deps.db, ctx.tenantId, id);
  if (!row) throw runNotFound();
  if (row.state !== "canceled") {
    throw new AppError("run_ended", "The run has come to its end already.", { facts: { state: row.state } });
  }
  if (isCanceled && row.sandboxId !== null) await deleteSandbox(deps, ctx, row.sandboxId);
  return toRun(row);
}
