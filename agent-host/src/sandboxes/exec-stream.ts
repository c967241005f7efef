import type { Logger } from "pino";
import { type ExecId, newExecId } from "#contract/ids";
import { limits } from "#contract/limits";
import type { ProcessEnd } from "#contract/process";
import { HostError } from "../errors.ts";
import type { ExecStream, ExecStreams } from "../exec-streams/streams.ts";
import { problemOf } from "../problem.ts";
import { type ProcessRecord, processesOf, shownCommand } from "../processes/table.ts";
import type { ExecExit, ExecHandle } from "../sandboxd/exec.ts";
import type { ExecDeps } from "./exec.ts";
import { beginExec, type Command } from "./exec-begin.ts";
import { type ExecNotes, encodeNotes } from "./exec-notes.ts";
import { oomWatch, outcomeOf } from "./exec-outcome.ts";
import { asHostError } from "./failures.ts";
import { type Live, whileActive } from "./registry.ts";
import { type OutputStart, StreamedOutput } from "./streamed-output.ts";

export type ExecStreamDeps = ExecDeps & { streams: ExecStreams; log: Logger };
export type StreamOptions = {
  requestId: string;
  kind: ProcessRecord["kind"];
  tag?: string | undefined;
  isCanceledOnDisconnect?: boolean;
  /** Its running alone does not keep the sandbox from being idle. */
  isPassive?: boolean;
  /** How long what it printed is kept after its end. */
  keptMs?: number;
};

/** sandboxd ends a command at its timeout; silence for this long after it means that nobody will. */
const backstopMs = 5_000;

/**
 * Starts a command whose output is a stream. It runs on whether somebody reads or not, whatever becomes of this host,
 * and its stream ends with `exit` or `error` in every case.
 * @throws HostError for a command that did not start
 */
export async function startExecStream(
  deps: ExecStreamDeps,
  live: Live,
  request: Command,
  options: StreamOptions,
): Promise<{ stream: ExecStream; record: ProcessRecord }> {
  const id = newExecId();
  const notes = notesOf(request, options, {
    startedAtMs: deps.now(),
    oomKills: deps.runtime.oomKills(live.member),
  });
  const { stream, output } = openStream(deps, live, { id, notes, kill: () => handle.kill() });
  let onStarted: (pid: number) => void = () => undefined;
  const started = new Promise<number>((resolve) => {
    onStarted = resolve;
  });
  const sink = { onStarted, onOutput: output.take };
  const handle = beginExec(live, request, sink, { tag: id, metadata: encodeNotes(notes) });
  const over = followExec(deps, live, { stream, output, handle, notes });
  try {
    const pid = await Promise.race([started, over.then(() => 0)]);
    return { stream, record: enlist(deps, live, { id, pid, handle, notes, over }) };
  } catch (error) {
    deps.streams.forget(stream);
    throw error;
  }
}

function notesOf(
  { command, pty, stdin, timeoutMs, outputEncoding, maxOutputBytes }: Command,
  { kind, tag, isCanceledOnDisconnect, isPassive, keptMs, requestId }: StreamOptions,
  at: Pick<ExecNotes, "startedAtMs" | "oomKills">,
): ExecNotes {
  return {
    kind,
    command: shownCommand(command),
    tag,
    size: pty,
    timeoutMs,
    outputEncoding,
    maxOutputBytes,
    ...(isCanceledOnDisconnect && { isTied: true }),
    ...(isPassive && { isPassive: true }),
    ...(typeof stdin === "string" && { hasFixedInput: true }),
    keptMs: keptMs ?? limits.execStreamKeptMs,
    requestId,
    ...at,
  };
}

type Opening = {
  id: ExecId;
  notes: ExecNotes;
  kill: () => void;
  /** Of one that was begun under a former host. */
  start?: OutputStart;
};

/** Makes the stream that a command's output goes into. @throws HostError `too_many_execs` */
export function openStream(
  deps: Pick<ExecStreamDeps, "streams">,
  live: Live,
  { id, notes, kill, start }: Opening,
): { stream: ExecStream; output: StreamedOutput } {
  const { sandboxId, tenantId } = live.lease;
  const stream = deps.streams.open({ sandboxId, tenantId }, id, {
    onAbandoned: () => notes.isTied && kill(),
    // What nobody can read here, nobody will ask a later host for.
    onForgotten: () => live.member.connection.forget(id),
    silenceMs: notes.isTied ? limits.tiedStreamCommentMs : limits.streamCommentMs,
    ...(start && { startSeq: start.seq }),
  });
  return { stream, output: new StreamedOutput(stream.ring, notes, start) };
}

type Followed = { stream: ExecStream; output: StreamedOutput; handle: ExecHandle; notes: ExecNotes };

/**
 * Waits for a command's end, which its stream tells in every case, and lets the stream go a while later.
 * @throws HostError when the outcome is not known
 */
export function followExec(
  deps: ExecStreamDeps,
  live: Live,
  { stream, output, handle, notes }: Followed,
): Promise<ProcessEnd> {
  const wasOom = oomWatch(deps.runtime, live, notes.oomKills);
  const leftMs = notes.timeoutMs && Math.max(0, notes.startedAtMs + notes.timeoutMs - deps.now());
  const settle = () => settled(handle, output, leftMs);
  const over = (notes.isPassive ? settle() : whileActive(live, deps.now, settle)).then(
    (exit) => {
      const outcome = outcomeOf(exit, output.finish(), wasOom(exit));
      deps.onExecEnd(outcome);
      stream.ring.end("exit", outcome);
      const { truncated: _, ...end } = outcome;
      return end;
    },
    (cause: unknown) => {
      const error = asHostError(cause, live);
      if (error instanceof HostError && error.code === "exec_lost") deps.onSilent(live);
      output.finish();
      stream.ring.end("error", problemOf(shownOf(deps, error), notes.requestId));
      throw error;
    },
  );
  over.catch(() => undefined).finally(() => deps.streams.forgetLater(stream, notes.keptMs));
  return over;
}

type Begun = Pick<ProcessRecord, "id" | "pid" | "handle"> & {
  notes: ExecNotes;
  over: Promise<ProcessEnd>;
};

/** By how long it took, since who hears of an end may hear of it late, or a second time; but never in the future. */
const endedAtMs = ({ startedAtMs }: ExecNotes, { durationMs }: ProcessEnd, nowMs: number) =>
  durationMs === undefined ? nowMs : Math.min(nowMs, startedAtMs + Math.round(durationMs));

/** Puts what has started on the list of its sandbox, and its end when that has come. */
export function enlist(
  deps: Pick<ExecStreamDeps, "now" | "streams">,
  live: Live,
  begun: Begun,
): ProcessRecord {
  const { id, pid, handle, notes } = begun;
  const { kind, command, tag, size, startedAtMs } = notes;
  const table = processesOf(live);
  const over = begun.over
    .catch((): ProcessEnd => ({ endReason: "crashed" }))
    .then((end) => {
      // A command's stream has its own time; what nobody waited for is kept as long as it is listed.
      const ended = table.end(record, end, endedAtMs(notes, end, deps.now()));
      const forgotten = ended.filter(({ kind }) => kind !== "exec");
      for (const { id } of forgotten) deps.streams.forgetById(id);
    });
  const record: ProcessRecord = { id, pid, kind, command, tag, size, startedAtMs, handle, over };
  table.add(record);
  return record;
}

function shownOf(deps: ExecStreamDeps, error: unknown): HostError {
  if (error instanceof HostError) return error;
  deps.log.error({ err: error }, "a command's stream failed");
  return new HostError("internal", "Something failed on the host; the command's outcome is not known.");
}

/** The exit of the command. @throws HostError `exec_lost` when it is long overdue and nothing was heard since. */
async function settled(
  handle: ExecHandle,
  output: StreamedOutput,
  timeoutMs: number | undefined,
): Promise<ExecExit> {
  if (timeoutMs === undefined) return handle.exit;
  let timer: NodeJS.Timeout | undefined;
  const overdue = new Promise<never>((_, reject) => {
    const check = () => {
      const silentMs = performance.now() - output.heardAtMs;
      if (!output.isHeldBack && silentMs > backstopMs) {
        handle.kill();
        reject(new HostError("exec_lost", "The command did not end in time; its outcome is not known."));
      } else timer = setTimeout(check, backstopMs);
    };
    timer = setTimeout(check, timeoutMs + limits.execGraceMs + backstopMs);
  });
  try {
    return await Promise.race([handle.exit, overdue]);
  } finally {
    clearTimeout(timer);
  }
}
