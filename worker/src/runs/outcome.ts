import type { ExecResult } from "#contract/exec";
import { limits } from "#contract/limits";
import { endReasons } from "#contract/sandbox";
import { toAppError } from "../errors.ts";
import type { RunEnd } from "./store.ts";

const encoder = new TextEncoder();

/** How a run ended whose command has. */
export function endOfResult(result: ExecResult): RunEnd {
  const stdout = bounded(result.stdout);
  const stderr = bounded(result.stderr);
  return {
    state: stateOf(result),
    endReason: result.endReason,
    exitCode: result.exitCode,
    stdout: stdout.text,
    stderr: stderr.text,
    outputBytes: encoder.encode(stdout.text).byteLength + encoder.encode(stderr.text).byteLength,
    truncated: {
      stdout: result.truncated.stdout || stdout.isCut,
      stderr: result.truncated.stderr || stderr.isCut,
    },
  };
}

function stateOf({ endReason, exitCode }: ExecResult): RunEnd["state"] {
  if (endReason === "timeout") return "timed_out";
  return endReason === "exited" && exitCode === 0 ? "succeeded" : "failed";
}

/**
 * How a run ended that has no exit code.
 * @param hasStarted whether its command was sent, so that nobody can say any more what it did
 */
export function endOfError(thrown: unknown, hasStarted: boolean): RunEnd {
  const { code, message, facts, isOutcomeUnknown } = toAppError(thrown);
  const error = { code, detail: message };
  const told = endReasons.find((reason) => reason === facts?.endReason);
  if (code === "sandbox_ended") return { state: "failed", endReason: told ?? "killed", error };
  const isLost = hasStarted && (code === "exec_lost" || code === "host_unreachable" || isOutcomeUnknown);
  if (isLost) return { state: "lost", endReason: "host_lost", error };
  return { state: "failed", endReason: null, error };
}

/** Nobody was there to see it end. */
export const endOfSilence: RunEnd = {
  state: "lost",
  endReason: "crashed",
  error: { code: "internal", detail: "Whoever ran it is gone; what it did is not known." },
};

export const endOfCancel: RunEnd = { state: "canceled", endReason: "canceled" };

/** Cuts after the last whole character that fits. */
function bounded(text: string): { text: string; isCut: boolean } {
  const bytes = encoder.encode(text);
  if (bytes.byteLength <= limits.runOutputMaxBytes) return { text, isCut: false };
  // As a stream with more to come, it keeps back the character that is not whole.
  const head = new TextDecoder().decode(bytes.subarray(0, limits.runOutputMaxBytes), { stream: true });
  return { text: head, isCut: true };
}
