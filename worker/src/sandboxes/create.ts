import type { RunId, SandboxId } from "#contract/ids";
import type { CreateSandbox, Sandbox } from "#contract/sandbox";
import type { Ctx } from "../context.ts";
import type { Rider } from "../db/rider.ts";
import { checkCeilings } from "../quota/ceilings.ts";
import { type DraftDeps, draftOf } from "./draft.ts";
import { type PlaceDeps, placeSandbox } from "./place-sandbox.ts";
import { markRunning } from "./store.ts";
import { toSandbox } from "./view.ts";

/** What is written together with a sandbox, or forbids it. */
export type Making = {
  rider?: Rider<SandboxId> | undefined;
  /** The run that was admitted in its place: it holds what the sandbox needs. */
  from?: RunId;
};

/**
 * Takes a slot and holds the most that the sandbox can cost, places it, and gives both back if placing fails. Costs one
 * batched write.
 * @throws AppError `template_not_found`, `limit_exceeded`, `quota_exceeded`, `budget_exceeded`, `no_capacity`,
 *   `host_unreachable`, `invalid_request`
 */
export async function createSandbox(
  deps: DraftDeps & PlaceDeps,
  ctx: Ctx,
  input: CreateSandbox,
  { rider, from }: Making = {},
): Promise<Sandbox> {
  const draft = await draftOf(deps, ctx, input);
  if (!from) checkCeilings(ctx.limits, draft);
  const placed = await placeSandbox(deps, ctx, { draft, input, rider, from });
  ctx.background("markRunning", markRunning(deps.db, ctx.tenantId, [placed.id], deps.now()));
  return toSandbox({ ...placed, state: "running" });
}
