import type { ExecRequest } from "#contract/exec";
import { limits } from "#contract/limits";
import { type CreateRun, languages, type RunFile } from "#contract/run";
import type { Sandbox } from "#contract/sandbox";
import { homePath } from "#contract/text";
import { byCaller } from "../audit/by.ts";
import { toBytes } from "../bytes.ts";
import type { Ctx } from "../context.ts";
import { AppError } from "../errors.ts";
import { describeError, type Log } from "../log.ts";
import { createSandbox } from "../sandboxes/create.ts";
import { deleteSandbox } from "../sandboxes/delete.ts";
import { execInSandbox } from "../sandboxes/exec.ts";
import { writeSandboxFile } from "../sandboxes/files.ts";
import { lifetimeOf } from "./draft.ts";
import { endOfError, endOfResult } from "./outcome.ts";
import { endRun, leaseRider, markStarted, type NewRun, type RunEnd } from "./store.ts";

export type ExecuteDeps = Parameters<typeof createSandbox>[0] &
  Parameters<typeof execInSandbox>[0] &
  Parameters<typeof deleteSandbox>[0] & { log: Log };
type Work = {
  run: NewRun;
  /** Of its sandbox. */
  diskMiB: number;
  input: CreateRun;
};

const firstGeneration = 1;

/**
 * Carries a queued run out: a sandbox of its own, its files, its command, its end. What happens is on record in the
 * run's row; whoever ended it in the meantime was first, and the sandbox goes all the same.
 */
export async function executeRun(deps: ExecuteDeps, caller: Ctx, work: Work): Promise<void> {
  const facts: Record<string, string | number | boolean> = {};
  const ctx = detached(caller, facts);
  const lease = { id: work.run.id, generation: firstGeneration };
  const seen: Seen = { hasStarted: false };
  let cause: unknown;
  let end: RunEnd | null;
  try {
    end = await carryOut(deps, ctx, work, seen);
  } catch (error) {
    cause = error;
    end = endOfError(error, seen.hasStarted);
  }
  try {
    const hasEnded = end && (await recordEnd(deps, ctx, { ...lease, ...done(deps, ctx), end }));
    if (!hasEnded) facts.wasEndedBefore = true;
  } finally {
    if (seen.sandbox) await deleteSandbox(deps, ctx, seen.sandbox.id);
    deps.log({
      level: end?.error?.code === "internal" ? "error" : "info",
      event: "run",
      requestId: ctx.requestId,
      runId: lease.id,
      tenantId: ctx.tenantId,
      ...(end && { state: end.state }),
      durationMs: deps.now() - work.run.createdAtMs,
      ...facts,
      ...(cause !== undefined && { cause: describeError(cause) }),
    });
  }
}

const done = (deps: ExecuteDeps, ctx: Ctx) => ({ by: byCaller(ctx), nowMs: deps.now() });

const recordAttemptsMax = 4;
const recordPauseMs = 250;

/** What a run did is known to nobody else, so a database that is away for a moment is asked again. */
async function recordEnd(
  deps: ExecuteDeps,
  ctx: Ctx,
  ending: Parameters<typeof endRun>[2],
): Promise<boolean> {
  for (let attempts = 1; ; attempts++) {
    try {
      return await endRun(deps.db, ctx.tenantId, ending);
    } catch (error) {
      const isAway = error instanceof AppError && error.code === "unavailable";
      if (!isAway || attempts >= recordAttemptsMax) throw error;
      const pauseMs = recordPauseMs * attempts * (0.5 + deps.random());
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}

/** How far it came, for whoever has to clean up after a failure. */
type Seen = { sandbox?: Sandbox; hasStarted: boolean };

/** `null` = it was ended before it began. */
async function carryOut(
  deps: ExecuteDeps,
  ctx: Ctx,
  { run, diskMiB, input }: Work,
  seen: Seen,
): Promise<RunEnd | null> {
  const lease = { id: run.id, generation: firstGeneration };
  const lifetimeSeconds = lifetimeOf(run);
  const { template, cpu, memoryMiB } = run;
  const { pids, budget } = input;
  const sandbox = await createSandbox(
    deps,
    ctx,
    // As it was admitted: what is held for the run is what the sandbox can use.
    { template, cpu, memoryMiB, diskMiB, pids, lifetimeSeconds, idleSeconds: lifetimeSeconds, budget },
    { rider: leaseRider(deps.db, ctx.tenantId, { ...lease, nowMs: deps.now }), from: run.id },
  );
  seen.sandbox = sandbox;
  const readyAtMs = deps.now();
  await writeFiles(deps, ctx, sandbox, input);
  if (!(await markStarted(deps.db, ctx.tenantId, { ...lease, readyAtMs, nowMs: deps.now() }))) return null;
  seen.hasStarted = true;
  return endOfResult(await execInSandbox(deps, ctx, sandbox.id, requestOf(input, run.timeoutMs)));
}

/** Nobody's going away ends a run, and its facts belong to its own log event: the request's was written before. */
function detached(caller: Ctx, facts: Record<string, string | number | boolean>): Ctx {
  const { signal: _, ...ctx } = caller;
  return {
    ...ctx,
    note: (name, value) => {
      facts[name] = value;
    },
  };
}

async function writeFiles(deps: ExecuteDeps, ctx: Ctx, sandbox: Sandbox, input: CreateRun): Promise<void> {
  const { code, files = [] } = input;
  const source: RunFile[] = code ? [{ path: languages[code.language].file, content: code.source }] : [];
  const all = [...source, ...files];
  if (all.length === 0) return;
  // One deadline for all of them together.
  const late = AbortSignal.timeout(limits.runFilesDeadlineMs);
  const inTime: Ctx = { ...ctx, signal: () => late };
  for (const file of all) {
    const stream = new Blob([bytesOf(file)]).stream();
    await writeSandboxFile(deps, inTime, sandbox.id, { path: file.path, body: { stream } });
  }
}

function bytesOf({ content, contentBase64 }: RunFile) {
  if (content !== undefined) return toBytes(content);
  return Uint8Array.from(atob(contentBase64 ?? ""), (char) => char.charCodeAt(0));
}

/** A source is named to its program as a file; no shell sees it. */
function requestOf({ code, command, stdin, env }: CreateRun, timeoutMs: number): ExecRequest {
  const argv = code ? [languages[code.language].program, languages[code.language].file] : command;
  return {
    // The schema asks for one of the two.
    command: argv ?? "",
    cwd: homePath,
    timeoutMs,
    killOrphans: true,
    maxOutputBytes: limits.runOutputMaxBytes,
    ...(stdin !== undefined && { stdin }),
    ...(env && { env }),
  };
}
