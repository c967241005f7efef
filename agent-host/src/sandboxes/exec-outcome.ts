import type { ExitEvent } from "#contract/exec";
import type { EndReason } from "#contract/sandbox";
import type { Runtime } from "../runtime/runtime.ts";
import type { ExecExit } from "../sandboxd/exec.ts";
import type { Live } from "./registry.ts";

const sigkill = 9;
const signalBase = 128; // as shells report a signal in an exit status

/**
 * Tells of a command that has ended whether the kernel killed for memory.
 * @param killsBefore how often it had when the command was started
 */
export function oomWatch(
  runtime: Pick<Runtime, "oomKills">,
  live: Live,
  killsBefore = runtime.oomKills(live.member),
): (exit: ExecExit) => boolean {
  return (exit) => mayBeOom(exit) && runtime.oomKills(live.member) > killsBefore;
}

/** The kernel kills for memory by SIGKILL; a shell around the victim reports it as a status. */
const mayBeOom = (exit: ExecExit) => exit.signal === sigkill || exit.exitCode === signalBase + sigkill;

/** How a command ended, in the words of the API. */
export function outcomeOf(exit: ExecExit, truncated: ExitEvent["truncated"], wasOom: boolean): ExitEvent {
  return {
    exitCode: exit.signal === 0 ? exit.exitCode : signalBase + exit.signal,
    ...(exit.signal !== 0 && { signal: exit.signal }),
    truncated,
    durationMs: exit.durationMicros / 1000,
    endReason: endReasonOf(exit, wasOom),
  };
}

function endReasonOf(exit: ExecExit, wasOom: boolean): EndReason {
  if (exit.reason === "timeout") return "timeout";
  if (exit.reason === "killed") return "killed";
  return wasOom ? "oom" : "exited";
}
