import { newExecId } from "#contract/ids";
import { limits } from "#contract/limits";
import type {
  Process,
  ProcessEnd,
  SessionExecRequest,
  SessionRequest,
  SessionResult,
} from "#contract/process";
import { HostError } from "../errors.ts";
import type { ExecDeps } from "../sandboxes/exec.ts";
import { beginExec } from "../sandboxes/exec-begin.ts";
import { encodeNotes } from "../sandboxes/exec-notes.ts";
import { oomWatch, outcomeOf } from "../sandboxes/exec-outcome.ts";
import { asHostError } from "../sandboxes/failures.ts";
import { type Live, whileActive } from "../sandboxes/registry.ts";
import { Session } from "./session.ts";
import { requireGeneration } from "./signal.ts";
import { type ProcessRecord, processesOf, running, shownProcess } from "./table.ts";

const uncut = { stdout: false, stderr: false };
/** What the shell's helper ends with when there is no shell to be run. */
const noShell = 127;
const startDeadlineMs = 10_000;
/** sandboxd ends a killed tree within three seconds; who has not heard of it after this will not. */
const backstopMs = 5_000;

/**
 * Starts a shell that keeps its state from one command to the next. It is a process of the list like any other; it does
 * not by itself keep its sandbox from being idle.
 * @throws HostError for one that did not start, `command_not_found` where the sandbox has no bash
 */
export async function createSession(
  deps: ExecDeps,
  live: Live,
  { cwd, env, tag }: SessionRequest,
): Promise<Process> {
  requireGeneration(live, 2);
  const session = new Session(() => handle);
  let onStarted: (pid: number) => void = () => undefined;
  const started = new Promise<number>((resolve) => {
    onStarted = resolve;
  });
  const { onOutput } = session;
  const command = { command: ["/sandboxd", "session"], cwd, env, stdin: true as const, killOrphans: true };
  const [id, startedAtMs] = [newExecId(), deps.now()];
  const keptMs = limits.execStreamKeptMs;
  const notes = {
    kind: "session" as const,
    command: "bash",
    tag,
    startedAtMs,
    keptMs,
    oomKills: 0,
    requestId: "",
  };
  const keeping = { tag: id, metadata: encodeNotes(notes), endsWithHost: true };
  const handle = beginExec(live, command, { onOutput, onStarted }, keeping);
  const table = processesOf(live);
  const ended = handle.exit.then(
    (exit): ProcessEnd => {
      session.onExit(exit);
      const { truncated: _, ...end } = outcomeOf(exit, uncut, false);
      return end;
    },
    (cause: unknown): ProcessEnd => {
      session.onLost(asHostError(cause, live));
      return { endReason: "crashed" };
    },
  );
  const refused = handle.exit.then(
    () => 0,
    (cause: unknown) => Promise.reject(asHostError(cause, live)),
  );
  const pid = await Promise.race([started, refused]);
  refused.catch(() => undefined);
  const over = ended.then((end) => void table.end(record, end, deps.now()));
  const record: ProcessRecord = {
    id,
    pid,
    kind: "session",
    command: "bash",
    tag,
    size: undefined,
    startedAtMs,
    handle,
    over,
    session,
  };
  // An empty command: what cannot run it is no shell, and was never on the list.
  const first = await session.run({ command: ":", timeoutMs: startDeadlineMs });
  if (first.sessionState === "ended") {
    if (first.exitCode === noShell)
      throw new HostError("command_not_found", "The sandbox has no bash, which sessions need.");
    throw new HostError("exec_interrupted", "The shell ended before it began; try again.");
  }
  table.add(record);
  return shownProcess(record);
}

/**
 * Runs a command in a session and waits for its result.
 * @throws HostError `process_not_found`, `process_ended`, `session_busy`, `exec_lost`
 */
export function execInSession(
  deps: ExecDeps,
  live: Live,
  record: ProcessRecord,
  request: SessionExecRequest,
): Promise<SessionResult> {
  const { session } = running(record);
  if (!session) throw new HostError("process_not_found", "This process is no session.");
  return whileActive(live, deps.now, async () => {
    const wasOom = oomWatch(deps.runtime, live);
    const result = await inTime(deps, live, session.run(request), request.timeoutMs);
    const { exitCode, signal = 0 } = result;
    const isOom =
      result.endReason === "exited" && wasOom({ exitCode, signal, reason: "exited", durationMicros: 0 });
    const told: SessionResult = isOom ? { ...result, endReason: "oom" } : result;
    const { stdout: _out, stderr: _err, sessionState: _state, ...outcome } = told;
    deps.onExecEnd(outcome);
    return told;
  });
}

async function inTime(
  deps: ExecDeps,
  live: Live,
  result: Promise<SessionResult>,
  timeoutMs: number = limits.execBufferedMaxMs,
): Promise<SessionResult> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      deps.onSilent(live);
      reject(new HostError("exec_lost", "The command did not end in time and its outcome is not known."));
    }, timeoutMs + backstopMs);
  });
  return Promise.race([result, late]).finally(() => clearTimeout(timer));
}
