import type { SandboxId } from "#contract/ids";
import type { CreateSandbox, Sandbox } from "#contract/sandbox";
import type { Ctx } from "../context.ts";
import type { Rider } from "../db/rider.ts";
import { type DraftDeps, draftOf } from "./draft.ts";
import { type PlaceDeps, placeSandbox } from "./place-sandbox.ts";
import { markRunning } from "./store.ts";
import { toSandbox } from "./view.ts";

/**
 * Reserves a slot, places the sandbox, and gives the slot back if placing fails. Costs one batched write.
 * @param rider what else is written in that batch, or forbids it
 * @throws AppError `template_not_found`, `quota_exceeded`, `no_capacity`, `host_unreachable`, `invalid_request`
 */
export async function createSandbox(
  deps: DraftDeps & PlaceDeps,
  ctx: Ctx,
  input: CreateSandbox,
  rider?: Rider<SandboxId>,
): Promise<Sandbox> {
  const draft = await draftOf(deps, ctx, input);
  const placed = await placeSandbox(deps, ctx, { draft, input, rider });
  ctx.background("markRunning", markRunning(deps.db, ctx.tenantId, [placed.id], deps.now()));
  return toSandbox({ ...placed, state: "running" });
}
