import type { ExecRequest, ExecResult } from "#contract/exec";
import { limits } from "#contract/limits";
import type { EndReason } from "#contract/sandbox";
import { homePath } from "#contract/text";
import { HostError } from "../errors.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { ExecExit, ExecHandle } from "../sandboxd/exec.ts";
import { CappedOutput } from "./capped-output.ts";
import { asHostError } from "./failures.ts";
import { type Live, whileActive } from "./registry.ts";

export type ExecDeps = {
  runtime: Pick<Runtime, "oomKills">;
  now: () => number;
  /** Called when a sandboxd has missed a deadline that it keeps itself. */
  onSilent: (live: Live) => void;
};

/** sandboxd ends a command at its timeout; if it has not spoken this long after, it will not. */
const backstopMs = 5_000;
const sigkill = 9;
const signalBase = 128; // as shells report a signal in an exit status

/**
 * Runs one command to its end and collects what it printed.
 * @throws HostError for a command that did not start, and `exec_lost` where its outcome is not known.
 */
export function execInSandbox(deps: ExecDeps, live: Live, request: ExecRequest): Promise<ExecResult> {
  return whileActive(live, deps.now, async () => {
    const outputs = {
      stdout: new CappedOutput(limits.execOutputMaxBytes),
      stderr: new CappedOutput(limits.execOutputMaxBytes),
    };
    const timeoutMs = request.timeoutMs ?? limits.execBufferedMaxMs;
    const oomKillsBefore = deps.runtime.oomKills(live.member);
    try {
      const handle = begin(live, request, timeoutMs, outputs);
      const exit = await settled(handle, timeoutMs + limits.execGraceMs + backstopMs);
      const wasOom = mayBeOom(exit) && deps.runtime.oomKills(live.member) > oomKillsBefore;
      return resultOf(exit, outputs, request.outputEncoding ?? "utf8", wasOom);
    } catch (cause) {
      if (cause instanceof HostError && cause.code === "exec_lost") deps.onSilent(live);
      throw asHostError(cause, live);
    }
  });
}

type Outputs = { stdout: CappedOutput; stderr: CappedOutput };

function begin(live: Live, request: ExecRequest, timeoutMs: number, outputs: Outputs): ExecHandle {
  const { command, env, stdin } = request;
  const handle = live.member.connection.exec(
    {
      argv: typeof command === "string" ? ["/bin/sh", "-c", command] : command,
      cwd: request.cwd ?? homePath,
      ...(env && { env }),
      timeoutMs,
      graceMs: limits.execGraceMs,
      killOrphans: request.killOrphans ?? false,
      stdin: stdin !== undefined,
    },
    { onOutput: (kind, bytes) => outputs[kind].push(bytes) },
  );
  if (stdin !== undefined) void feed(handle, stdin);
  return handle;
}

/** A command may end without reading its input; that is its right and no failure. */
async function feed(handle: ExecHandle, stdin: string): Promise<void> {
  try {
    await handle.write(Buffer.from(stdin));
    handle.endStdin();
  } catch {
    // The exit tells what happened.
  }
}

/** A plain timer: one that is aborted makes an error with its stack for every command. */
function settled(handle: ExecHandle, deadlineMs: number): Promise<ExecExit> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      handle.kill();
      reject(new HostError("exec_lost", "The command did not end in time and its outcome is not known."));
    }, deadlineMs);
    void handle.exit.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** The kernel kills for memory by SIGKILL; a shell around the victim reports it as a status. */
const mayBeOom = (exit: ExecExit) => exit.signal === sigkill || exit.exitCode === signalBase + sigkill;

function resultOf(
  exit: ExecExit,
  outputs: Outputs,
  encoding: "utf8" | "base64",
  wasOom: boolean,
): ExecResult {
  return {
    exitCode: exit.signal === 0 ? exit.exitCode : signalBase + exit.signal,
    ...(exit.signal !== 0 && { signal: exit.signal }),
    stdout: outputs.stdout.text(encoding),
    stderr: outputs.stderr.text(encoding),
    truncated: { stdout: outputs.stdout.isTruncated, stderr: outputs.stderr.isTruncated },
    durationMs: exit.durationMicros / 1000,
    endReason: endReasonOf(exit, wasOom),
  };
}

function endReasonOf(exit: ExecExit, wasOom: boolean): EndReason {
  if (exit.reason === "timeout") return "timeout";
  if (exit.reason === "killed") return "killed";
  return wasOom ? "oom" : "exited";
}
