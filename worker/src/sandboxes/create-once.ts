import type { SandboxId } from "#contract/ids";
import { limits } from "#contract/limits";
import type { CreateSandbox, Sandbox } from "#contract/sandbox";
import { byCaller } from "../audit/by.ts";
import type { Clock, Ctx } from "../context.ts";
import type { Db } from "../db/client.ts";
import { type Made, once } from "../idempotency/once.ts";
import { claimRider } from "../idempotency/store.ts";
import { createSandbox } from "./create.ts";
import { findSandbox, markEnding } from "./store.ts";
import { toSandbox } from "./view.ts";

type Deps = Parameters<typeof createSandbox>[0] & Parameters<typeof once>[0];

const created = 201;

/** Creates a sandbox; with a key, one for all requests that carry it. */
export function createSandboxOnce(
  deps: Deps,
  ctx: Ctx,
  input: CreateSandbox,
  asked: Parameters<typeof once>[2],
): Promise<Made<Sandbox>> {
  return once<Sandbox>(deps, ctx, asked, {
    deadlineMs: limits.createDeadlineMs,
    async make(claim) {
      const rider = claim ? claimRider<SandboxId>(deps.db, ctx.tenantId, claim) : undefined;
      return { status: created, result: await createSandbox(deps, ctx, input, { rider }) };
    },
    async recover(resourceId) {
      // Only `claimRider` above writes ids under this path.
      const left = await takeUp(deps, ctx, resourceId as SandboxId);
      return left && { status: created, result: left };
    },
  });
}

/**
 * What a create left whose process died: the sandbox, once its host has confirmed it. Long after its deadline one
 * that was not confirmed is given up, so that another one may be made in its place.
 */
async function takeUp(deps: { db: Db; now: Clock }, ctx: Ctx, id: SandboxId): Promise<Sandbox | null> {
  const giving = { by: byCaller(ctx), nowMs: deps.now(), reason: "canceled" as const, isUnstarted: true };
  await markEnding(deps.db, ctx.tenantId, id, giving);
  const row = await findSandbox(deps.db, ctx.tenantId, id);
  return row && row.startedAtMs !== null ? toSandbox(row) : null;
}
