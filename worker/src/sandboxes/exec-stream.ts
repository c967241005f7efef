import type { ExecRequest } from "#contract/exec";
import { ExecId, type SandboxId } from "#contract/ids";
import { limits } from "#contract/limits";
import type { Ctx } from "../context.ts";
import type { Db } from "../db/client.ts";
import { AppError } from "../errors.ts";
import type { Directory } from "../hosts/directory.ts";
import type { ExecEvents, SandboxProvider, StreamWish } from "../providers/provider.ts";
import { onHost } from "./on-host.ts";

type Deps = { db: Db; directory: Directory; provider: SandboxProvider };

/**
 * Starts a command whose output the caller reads as it comes; it runs until its own timeout, or its sandbox's end.
 * @throws AppError with the codes of the `exec` row, for a command that did not start
 */
export async function streamExecInSandbox(
  deps: Deps,
  ctx: Ctx,
  id: SandboxId,
  input: ExecRequest & StreamWish,
): Promise<ExecEvents> {
  const { cancelOnDisconnect, ...request } = input;
  return onHost(deps, ctx, id, (place) =>
    deps.provider.streamExec(place, request, { cancelOnDisconnect }, callOf(ctx)),
  );
}

/**
 * Reads a command's events on from the one after `after`, from the start of what is kept when there is none.
 * @throws AppError with the codes of the `followExec` row
 */
export async function followExecInSandbox(
  deps: Deps,
  ctx: Ctx,
  id: SandboxId,
  from: { execId: string; after: number },
): Promise<ExecEvents> {
  const execId = ExecId.safeParse(from.execId);
  if (!execId.success)
    throw new AppError("exec_not_found", "There is no command with this id in the sandbox.");
  return onHost(deps, ctx, id, (place) =>
    deps.provider.followExec(place, execId.data, from.after, callOf(ctx)),
  );
}

/** Bounds the wait for the start only; the stream may last as long as the sandbox. */
function callOf(ctx: Ctx) {
  return {
    requestId: ctx.requestId,
    deadlineMs: limits.hostCallDeadlineMs,
    ...(ctx.signal && { signal: ctx.signal() }),
  };
}
