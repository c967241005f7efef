import { api } from "#contract/api";
import { newSandboxId, type SandboxId } from "#contract/ids";
import { limits } from "#contract/limits";
import { inParallel } from "#contract/parallel";
import type { CreateSandboxBatch, SandboxBatch, SandboxBatchItem } from "#contract/sandbox-batch";
import { byCaller } from "../audit/by.ts";
import type { Ctx } from "../context.ts";
import type { Rider } from "../db/rider.ts";
import { AppError, statusOf, toAppError } from "../errors.ts";
import type { Host } from "../hosts/directory.ts";
import { planHosts } from "../placement/plan.ts";
import { admit } from "../quota/admit.ts";
import { needFor } from "../quota/ask.ts";
import { checkCeilings } from "../quota/ceilings.ts";
import { type DraftDeps, draftOf } from "./draft.ts";
import { askOf, insertAllReserved } from "./insert-store.ts";
import { type PlaceDeps, placeSandbox } from "./place-sandbox.ts";
import { markRunning, type SandboxRow } from "./store.ts";
import { toSandbox } from "./view.ts";

const { status: allStatus, partialStatus } = api.createSandboxBatch;
type Outcome = { row: SandboxRow } | { error: AppError };

/**
 * Reserves a slot for each of many sandboxes in one statement, all or none, and places them side by side. One that
 * cannot be placed gives its own slot back and fails alone.
 * @throws AppError as `createSandbox`, where no sandbox was made
 */
export async function createBatch(
  deps: DraftDeps & PlaceDeps,
  ctx: Ctx,
  { count, ...input }: CreateSandboxBatch,
  rider?: Rider<string>,
): Promise<{ status: number; result: SandboxBatch }> {
  const draft = await draftOf(deps, ctx, input);
  checkCeilings(ctx.limits, draft);
  const hosts = await planHosts(deps, draft, count);
  const reserved = hosts.map((host) => ({ row: rowOn(deps, draft, host), host }));
  const rows = reserved.map(({ row }) => row);
  const { keyId } = ctx;
  const taking = { keyId, by: byCaller(ctx), randomBytes: deps.randomBytes, rider };
  const ask = askOf(draft, keyId, count);
  await admit(deps, ctx, { need: needFor(ask), size: ask.size, explain: rider?.explain }, (isUnmetered) =>
    insertAllReserved(deps.db, ctx.tenantId, rows, { ...taking, isUnmetered }),
  );
  const outcomes = await inParallel(reserved, limits.batchParallelMax, async (each): Promise<Outcome> => {
    try {
      return { row: await placeSandbox(deps, ctx, { draft, input, rider, reserved: each }) };
    } catch (error) {
      // What is not for the caller goes to the log; the others go on.
      if (!(error instanceof AppError)) ctx.background("createBatch", Promise.reject(error));
      return { error: toAppError(error) };
    }
  });
  return settle(deps, ctx, outcomes);
}

function rowOn(deps: PlaceDeps, draft: Awaited<ReturnType<typeof draftOf>>, host: Host): SandboxRow {
  return { ...draft, id: newSandboxId(host.code, deps.randomBytes), hostId: host.id };
}

function settle(deps: PlaceDeps, ctx: Ctx, outcomes: readonly Outcome[]) {
  const ids: SandboxId[] = outcomes.flatMap((outcome) => ("row" in outcome ? [outcome.row.id] : []));
  ctx.note("created", ids.length);
  const failed = outcomes.find((outcome) => "error" in outcome);
  if (ids.length === 0 && failed) throw failed.error;
  ctx.background("markRunning", markRunning(deps.db, ctx.tenantId, ids, deps.now()));
  return batchOf(
    outcomes.map((outcome) =>
      "row" in outcome
        ? { sandbox: toSandbox({ ...outcome.row, state: "running" }) }
        : { error: itemError(outcome.error) },
    ),
  );
}

/** The answer, with the status that says whether it is whole. */
export function batchOf(items: SandboxBatchItem[]): { status: number; result: SandboxBatch } {
  const created = items.filter(({ sandbox }) => sandbox !== undefined).length;
  const result = { items, created, failed: items.length - created };
  return { status: result.failed === 0 ? allStatus : partialStatus, result };
}

export function itemError(error: AppError): NonNullable<SandboxBatchItem["error"]> {
  return { code: error.code, status: statusOf(error.code), detail: error.message };
}
