import type { SandboxId } from "#contract/ids";
import { limits } from "#contract/limits";
import {
  type Process,
  type ProcessList,
  ProcessName,
  type ProcessRequest,
  type SignalRequest,
  type TerminalSize,
} from "#contract/process";
import type { Ctx } from "../context.ts";
import type { Db } from "../db/client.ts";
import { AppError } from "../errors.ts";
import type { Directory } from "../hosts/directory.ts";
import type { Call, ExecEvents, Place, ProcessInput, SandboxProvider } from "../providers/provider.ts";
import { onHost } from "./on-host.ts";

export type ProcessDeps = { db: Db; directory: Directory; provider: SandboxProvider };

/**
 * Starts a process that runs until it ends, is killed, or its sandbox ends.
 * @throws AppError with the codes of the `startProcess` row
 */
export function startSandboxProcess(
  deps: ProcessDeps,
  ctx: Ctx,
  id: SandboxId,
  request: ProcessRequest,
): Promise<Process> {
  return onHost(deps, ctx, id, (place) => deps.provider.startProcess(place, request, callOf(ctx)));
}

/** What runs, and what has ended lately, newest first. @throws AppError with the codes of the `listProcesses` row */
export function listSandboxProcesses(deps: ProcessDeps, ctx: Ctx, id: SandboxId): Promise<ProcessList> {
  return onHost(deps, ctx, id, (place) => deps.provider.listProcesses(place, callOf(ctx)));
}

/** @throws AppError with the codes of the `getProcess` row */
export function getSandboxProcess(
  deps: ProcessDeps,
  ctx: Ctx,
  id: SandboxId,
  name: string,
): Promise<Process> {
  return onProcess(deps, ctx, id, name, (place, process, call) =>
    deps.provider.getProcess(place, process, call),
  );
}

/** Ends a process with its whole tree, and waits for that. @throws AppError with the codes of the `killProcess` row */
export function killSandboxProcess(deps: ProcessDeps, ctx: Ctx, id: SandboxId, name: string): Promise<void> {
  const deadlineMs = limits.processKillDeadlineMs + limits.hostCallDeadlineMs;
  return onProcess(deps, ctx, id, name, (place, process, call) =>
    deps.provider.killProcess(place, process, { ...call, deadlineMs }),
  );
}

/**
 * Reads what a process prints from the event after `after` on, and goes on as long as it does.
 * @throws AppError with the codes of the `followProcess` row
 */
export function followSandboxProcess(
  deps: ProcessDeps,
  ctx: Ctx,
  id: SandboxId,
  from: { name: string; after: number },
): Promise<ExecEvents> {
  return onProcess(deps, ctx, id, from.name, (place, process, call) =>
    deps.provider.followProcess(place, process, from.after, call),
  );
}

/** Gives bytes to a process, all or none. @throws AppError with the codes of the `writeInput` row */
export function writeSandboxInput(
  deps: ProcessDeps,
  ctx: Ctx,
  id: SandboxId,
  { name, ...input }: ProcessInput & { name: string },
): Promise<void> {
  return onProcess(deps, ctx, id, name, (place, process, call) =>
    deps.provider.writeInput(place, process, input, call),
  );
}

/** @throws AppError with the codes of the `signalProcess` row */
export function signalSandboxProcess(
  deps: ProcessDeps,
  ctx: Ctx,
  id: SandboxId,
  { name, ...signal }: SignalRequest & { name: string },
): Promise<void> {
  return onProcess(deps, ctx, id, name, (place, process, call) =>
    deps.provider.signalProcess(place, process, signal, call),
  );
}

/** @throws AppError with the codes of the `resizeProcess` row */
export function resizeSandboxProcess(
  deps: ProcessDeps,
  ctx: Ctx,
  id: SandboxId,
  { name, ...size }: TerminalSize & { name: string },
): Promise<void> {
  return onProcess(deps, ctx, id, name, (place, process, call) =>
    deps.provider.resizeProcess(place, process, size, call),
  );
}

/** A name that no process can have is one that none has; the host is asked about the others. */
export async function onProcess<T>(
  deps: ProcessDeps,
  ctx: Ctx,
  id: SandboxId,
  sent: string,
  work: (place: Place, name: ProcessName, call: Call) => Promise<T>,
): Promise<T> {
  const name = ProcessName.safeParse(sent);
  if (!name.success)
    throw new AppError("process_not_found", "There is no process with this id in the sandbox.");
  return onHost(deps, ctx, id, (place) => work(place, name.data, callOf(ctx)));
}

/** Bounds the host's answer; a stream may last as long as the sandbox. */
export function callOf(ctx: Ctx): Call {
  return {
    requestId: ctx.requestId,
    deadlineMs: limits.hostCallDeadlineMs,
    ...(ctx.signal && { signal: ctx.signal() }),
  };
}
