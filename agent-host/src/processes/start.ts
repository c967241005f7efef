import { limits } from "#contract/limits";
import type { Process, ProcessRequest } from "#contract/process";
import { type ExecStreamDeps, type StreamOptions, startExecStream } from "../sandboxes/exec-stream.ts";
import type { Live } from "../sandboxes/registry.ts";
import { requireGeneration } from "./signal.ts";
import { shownProcess } from "./table.ts";

/**
 * Starts a process that runs on without anybody; what it prints is kept as a stream's is.
 * @throws HostError for one that did not start
 */
export async function startProcess(
  deps: ExecStreamDeps,
  live: Live,
  { tag, stdin, ...request }: ProcessRequest,
  options: Pick<StreamOptions, "requestId" | "isPassive">,
): Promise<Process> {
  if (request.pty) requireGeneration(live, 2);
  const command = { ...request, ...(stdin && { stdin: true as const }) };
  const { record } = await startExecStream(deps, live, command, {
    ...options,
    kind: "process",
    tag,
    keptMs: limits.processKeptMs,
  });
  return shownProcess(record);
}
