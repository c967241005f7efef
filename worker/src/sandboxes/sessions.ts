import type { SandboxId } from "#contract/ids";
import { limits } from "#contract/limits";
import type { Process, SessionExecRequest, SessionRequest, SessionResult } from "#contract/process";
import type { Ctx } from "../context.ts";
import { onHost } from "./on-host.ts";
import { callOf, onProcess, type ProcessDeps } from "./processes.ts";

/** A shell's start includes its first, empty command. */
const startDeadlineMs = 3 * limits.hostCallDeadlineMs;

/** Starts a shell for commands that come one by one. @throws AppError with the codes of the `createSession` row */
export function createSandboxSession(
  deps: ProcessDeps,
  ctx: Ctx,
  id: SandboxId,
  request: SessionRequest,
): Promise<Process> {
  const call = { ...callOf(ctx), deadlineMs: startDeadlineMs };
  return onHost(deps, ctx, id, (place) => deps.provider.createSession(place, request, call));
}

/** Runs a command in it and waits for its result. @throws AppError with the codes of the `execInSession` row */
export function execInSandboxSession(
  deps: ProcessDeps,
  ctx: Ctx,
  id: SandboxId,
  { name, ...request }: SessionExecRequest & { name: string },
): Promise<SessionResult> {
  const commandMs = request.timeoutMs ?? limits.execBufferedMaxMs;
  // The host ends the command itself; this only bounds the wait for a host that has gone silent.
  const deadlineMs = commandMs + 2 * limits.hostCallDeadlineMs;
  return onProcess(deps, ctx, id, name, (place, session, call) =>
    deps.provider.execInSession(place, session, request, { ...call, deadlineMs }),
  );
}
