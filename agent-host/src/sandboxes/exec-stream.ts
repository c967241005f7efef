import type { Logger } from "pino";
import type { ExitEvent } from "#contract/exec";
import { newExecId } from "#contract/ids";
import { limits } from "#contract/limits";
import type { ProcessEnd } from "#contract/process";
import { HostError } from "../errors.ts";
import { OutputEvents, type OutputKind } from "../exec-streams/output-events.ts";
import type { ExecStream, ExecStreams } from "../exec-streams/streams.ts";
import { problemOf } from "../problem.ts";
import { type ProcessRecord, processesOf, shownCommand } from "../processes/table.ts";
import type { ExecExit, ExecHandle, ExecSink } from "../sandboxd/exec.ts";
import type { ExecDeps } from "./exec.ts";
import { beginExec, type Command } from "./exec-begin.ts";
import { oomWatch, outcomeOf } from "./exec-outcome.ts";
import { asHostError } from "./failures.ts";
import { type Live, whileActive } from "./registry.ts";

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
 * Starts a command whose output is a stream. It runs on whether somebody reads or not, and its stream ends with
 * `exit` or `error` in every case.
 * @throws HostError for a command that did not start
 */
export async function startExecStream(
  deps: ExecStreamDeps,
  live: Live,
  request: Command,
  options: StreamOptions,
): Promise<{ stream: ExecStream; record: ProcessRecord }> {
  const { sandboxId, tenantId } = live.lease;
  const isTied = options.isCanceledOnDisconnect ?? false;
  const onAbandoned = () => isTied && handle.kill();
  const silenceMs = isTied ? limits.tiedStreamCommentMs : limits.streamCommentMs;
  const id = newExecId();
  const stream = deps.streams.open({ sandboxId, tenantId }, id, onAbandoned, silenceMs);
  const output = new StreamedOutput(stream, request);
  const wasOom = oomWatch(deps.runtime, live);
  let onStarted: (pid: number) => void = () => undefined;
  const started = new Promise<number>((resolve) => {
    onStarted = resolve;
  });
  const handle = beginExec(live, request, { onStarted, onOutput: output.take });
  const settle = () => settled(handle, output, request.timeoutMs);
  const over = (options.isPassive ? settle() : whileActive(live, deps.now, settle)).then(
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
      stream.ring.end("error", problemOf(shownOf(deps, error), options.requestId));
      throw error;
    },
  );
  over.catch(() => undefined).finally(() => deps.streams.forgetLater(stream, options.keptMs));
  try {
    const pid = await Promise.race([started, over.then(() => 0)]);
    return { stream, record: enlist(deps, live, { id, pid, handle, request, options, over }) };
  } catch (error) {
    deps.streams.forget(stream);
    throw error;
  }
}

type Begun = Pick<ProcessRecord, "id" | "pid" | "handle"> & {
  request: Command;
  options: StreamOptions;
  over: Promise<ProcessEnd>;
};

/** Puts what has started on the list of its sandbox, and its end when that has come. */
function enlist(deps: ExecStreamDeps, live: Live, begun: Begun): ProcessRecord {
  const { id, pid, handle, request, options } = begun;
  const table = processesOf(live);
  const over = begun.over
    .catch((): ProcessEnd => ({ endReason: "crashed" }))
    .then((end) => {
      // A command's stream has its own time; what nobody waited for is kept as long as it is listed.
      const forgotten = table.end(record, end, deps.now()).filter(({ kind }) => kind !== "exec");
      for (const { id } of forgotten) deps.streams.forgetById(id);
    });
  const command = shownCommand(request.command);
  const { kind, tag } = options;
  const record: ProcessRecord = {
    id,
    pid,
    kind,
    command,
    tag,
    size: request.pty,
    startedAtMs: deps.now(),
    handle,
    over,
  };
  table.add(record);
  return record;
}

function shownOf(deps: ExecStreamDeps, error: unknown): HostError {
  if (error instanceof HostError) return error;
  deps.log.error({ err: error }, "a command's stream failed");
  return new HostError("internal", "Something failed on the host; the command's outcome is not known.");
}

/** Output on its way into the ring: cut where that was asked for, held back while the reader is behind. */
class StreamedOutput {
  readonly #ring: ExecStream["ring"];
  readonly #events: OutputEvents;
  readonly #maxBytes: number;
  readonly #bytes: Record<OutputKind, number> = { stdout: 0, stderr: 0 };
  readonly #truncated: ExitEvent["truncated"] = { stdout: false, stderr: false };
  #turn: Promise<void> = Promise.resolve();
  #waiting = 0;
  heardAtMs = 0;

  constructor({ ring }: ExecStream, request: Command) {
    this.#ring = ring;
    this.#maxBytes = request.maxOutputBytes ?? Number.POSITIVE_INFINITY;
    this.#events = new OutputEvents(request.outputEncoding, (kind, text) =>
      ring.append(kind, (seq) => ({ seq, ...text })),
    );
  }

  get isHeldBack(): boolean {
    return this.#waiting > 0;
  }

  /** The promise is what keeps the program from printing more. */
  readonly take: ExecSink["onOutput"] = (kind, bytes) => {
    this.heardAtMs = performance.now();
    const room = this.#maxBytes - this.#bytes[kind];
    if (bytes.length > room) this.#truncated[kind] = true;
    if (room <= 0) return;
    const kept = bytes.subarray(0, room);
    this.#bytes[kind] += kept.length;
    if (this.#waiting === 0 && this.#ring.hasRoom) return this.#events.push(kind, kept);
    this.#waiting++;
    this.#turn = this.#turn.then(async () => {
      await this.#ring.room();
      this.#waiting--;
      this.#events.push(kind, kept);
    });
    return this.#turn;
  };

  finish(): ExitEvent["truncated"] {
    this.#events.end();
    return this.#truncated;
  }
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
