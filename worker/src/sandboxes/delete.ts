import type { SandboxId } from "#contract/ids";
import { limits } from "#contract/limits";
import { byCaller } from "../audit/by.ts";
import type { Clock, Ctx } from "../context.ts";
import type { Db } from "../db/client.ts";
import { AppError, sandboxNotFound } from "../errors.ts";
import type { Directory } from "../hosts/directory.ts";
import type { SandboxProvider } from "../providers/provider.ts";
import { placeOf } from "./on-host.ts";
import { endSandbox, findSandbox, markEnding, type SandboxRow } from "./store.ts";

type Deps = { db: Db; directory: Directory; provider: SandboxProvider; now: Clock };

/**
 * Ends a sandbox. What counts is the row: once it is `ending`, the host will be told until it has confirmed, so a
 * host that is away does not fail the call, and repeating the call is harmless.
 * @throws AppError `sandbox_not_found`
 */
export async function deleteSandbox(deps: Deps, ctx: Ctx, id: SandboxId): Promise<void> {
  const ending = { reason: "killed" as const, by: byCaller(ctx), nowMs: deps.now() };
  const row =
    (await markEnding(deps.db, ctx.tenantId, id, ending)) ?? (await findSandbox(deps.db, ctx.tenantId, id));
  if (!row) throw sandboxNotFound();
  if (row.state === "ended") return;
  try {
    await confirm(deps, ctx, row);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    ctx.note("unconfirmed", error.code);
  }
}

async function confirm(deps: Deps, ctx: Ctx, row: SandboxRow): Promise<void> {
  const { id: sandboxId, generation } = row;
  const call = { requestId: ctx.requestId, deadlineMs: limits.hostCallDeadlineMs };
  const place = await placeOf(deps, ctx, sandboxId);
  if (!place) throw new AppError("host_unreachable", "The sandbox's host is not known.");
  const end = await deps.provider.kill(place, generation, call);
  // Unknown to the host, but perhaps only because its create is still under way: reconciling will see.
  if (!end && row.startedAtMs === null) return;
  const nowMs = deps.now();
  const reason = end?.endReason ?? row.endReason ?? "killed";
  const done = { by: byCaller(ctx), nowMs };
  await endSandbox(deps.db, ctx.tenantId, { sandboxId, generation, reason, endedAtMs: nowMs }, done);
}
