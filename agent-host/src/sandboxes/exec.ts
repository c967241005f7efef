import type { ExecRequest, ExecResult, ExitEvent } from "#contract/exec";
import { limits } from "#contract/limits";
import { HostError } from "../errors.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { ExecExit, ExecHandle, ExecSink } from "../sandboxd/exec.ts";
import { CappedOutput } from "./capped-output.ts";
import { beginExec } from "./exec-begin.ts";
import { oomWatch, outcomeOf } from "./exec-outcome.ts";
import { asHostError } from "./failures.ts";
import { type Live, whileActive } from "./registry.ts";

export type ExecDeps = {
  runtime: Pick<Runtime, "oomKills">;
  now: () => number;
  /** Called with each command that has ended by itself or by us. */
  onExecEnd: (exit: ExitEvent) => void;
  /** Called when a sandboxd has missed a deadline that it keeps itself. */
  onSilent: (live: Live) => void;
};

/** sandboxd ends a command at its timeout; if it has not spoken this long after, it will not. */
const backstopMs = 5_000;

/**
 * Runs one command to its end and collects what it printed.
 * @throws HostError for a command that did not start, and `exec_lost` where its outcome is not known.
 */
export function execInSandbox(deps: ExecDeps, live: Live, request: ExecRequest): Promise<ExecResult> {
  return whileActive(live, deps.now, async () => {
    const maxBytes = Math.min(request.maxOutputBytes ?? Number.POSITIVE_INFINITY, limits.execOutputMaxBytes);
    const outputs = { stdout: new CappedOutput(maxBytes), stderr: new CappedOutput(maxBytes) };
    const timeoutMs = request.timeoutMs ?? limits.execBufferedMaxMs;
    const encoding = request.outputEncoding ?? "utf8";
    const wasOom = oomWatch(deps.runtime, live);
    try {
      const onOutput: ExecSink["onOutput"] = (kind, bytes) => outputs[kind].push(bytes);
      const handle = beginExec(live, { ...request, timeoutMs }, { onOutput });
      const exit = await settled(handle, timeoutMs + limits.execGraceMs + backstopMs);
      const truncated = { stdout: outputs.stdout.isTruncated, stderr: outputs.stderr.isTruncated };
      const outcome = outcomeOf(exit, truncated, wasOom(exit));
      deps.onExecEnd(outcome);
      return {
        stdout: outputs.stdout.text(encoding),
        stderr: outputs.stderr.text(encoding),
        ...outcome,
      };
    } catch (cause) {
      if (cause instanceof HostError && cause.code === "exec_lost") deps.onSilent(live);
      throw asHostError(cause, live);
    }
  });
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
