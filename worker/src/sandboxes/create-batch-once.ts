import { limits } from "#contract/limits";
import type { CreateSandboxBatch, SandboxBatch } from "#contract/sandbox-batch";
import { byCaller } from "../audit/by.ts";
import type { Clock, Ctx } from "../context.ts";
import type { Db } from "../db/client.ts";
import { AppError } from "../errors.ts";
import { type Made, once } from "../idempotency/once.ts";
import { claimRider } from "../idempotency/store.ts";
import { idsOf, takeUpConfirmed } from "./batch-store.ts";
import { batchOf, createBatch, itemError } from "./create-batch.ts";
import { toSandbox } from "./view.ts";

type Deps = Parameters<typeof createBatch>[0] & Parameters<typeof once>[0];

/** Creates many sandboxes; with a key, once for all requests that carry it. */
export function createBatchOnce(
  deps: Deps,
  ctx: Ctx,
  input: CreateSandboxBatch,
  asked: Parameters<typeof once>[2],
): Promise<Made<SandboxBatch>> {
  return once<SandboxBatch>(deps, ctx, asked, {
    deadlineMs: limits.createDeadlineMs,
    make: (claim) =>
      createBatch(deps, ctx, input, claim ? claimRider<string>(deps.db, ctx.tenantId, claim) : undefined),
    recover: (resource) => takeUp(deps, ctx, resource),
  });
}

/**
 * What a batch left whose process died: the sandboxes that their hosts have confirmed. The others are given up; when
 * none was confirmed, another batch may be made in its place.
 */
async function takeUp(deps: { db: Db; now: Clock }, ctx: Ctx, resource: string) {
  const ids = idsOf(resource);
  const giving = { by: byCaller(ctx), nowMs: deps.now() };
  const rows = await takeUpConfirmed(deps.db, ctx.tenantId, ids, giving);
  if (rows.length === 0) return null;
  const confirmed = new Map(rows.map((row) => [row.id, row]));
  return batchOf(
    ids.map((id) => {
      const row = confirmed.get(id);
      return row ? { sandbox: toSandbox(row) } : { error: itemError(interrupted()) };
    }),
  );
}

const interrupted = () =>
  new AppError("unavailable", "The service was interrupted before this sandbox was made. Ask for it again.");
