import type { ExecResult } from "#contract/exec";
import { limits } from "#contract/limits";
import type { SessionExecRequest, SessionResult } from "#contract/process";
import { HostError } from "../errors.ts";
import type { ExecExit, ExecHandle, ExecSink } from "../sandboxd/exec.ts";
import { encodeCommand, type ShellRecord, ShellRecords } from "../sandboxd/shell.ts";
import { CappedOutput } from "../sandboxes/capped-output.ts";

type Outcome = Pick<ExecResult, "exitCode" | "signal" | "endReason">;
type Running = {
  stdout: CappedOutput;
  stderr: CappedOutput;
  settle: (outcome: Outcome & { isOpen: boolean }) => void;
  fail: (cause: unknown) => void;
};

const sigkill = 9;
const signalBase = 128;

/**
 * A shell in a sandbox that runs one command at a time. A command's end is what the shell says on a channel of its own,
 * never what is printed; a shell that is gone ends the command that it ran, and the session.
 */
export class Session {
  readonly #records = new ShellRecords();
  readonly #handle: () => ExecHandle;
  #running: Running | undefined;
  #hasTimedOut = false;

  /** @param handle the shell, once it has been started with `sink` */
  constructor(handle: () => ExecHandle) {
    this.#handle = handle;
  }

  /** Output that belongs to no command is of background processes, and is dropped. */
  readonly onOutput: ExecSink["onOutput"] = (kind, bytes) => {
    // The helper itself prints no errors that are a command's.
    if (kind === "stderr") return;
    for (const record of this.#records.push(bytes)) this.#onRecord(record);
  };

  get isBusy(): boolean {
    return this.#running !== undefined;
  }

  /** The shell is gone, and with it all that it ran. */
  onExit(exit: ExecExit): void {
    const wasKilled = exit.signal !== 0;
    this.#settle({
      exitCode: wasKilled ? signalBase + exit.signal : exit.exitCode,
      ...(wasKilled && { signal: exit.signal }),
      endReason: this.#hasTimedOut ? "timeout" : exit.reason === "killed" ? "killed" : "exited",
      isOpen: false,
    });
  }

  onLost(cause: unknown): void {
    this.#running?.fail(cause);
    this.#running = undefined;
  }

  /**
   * Runs a command to its end. At its timeout the shell is ended with all that it has started: nobody knows in what
   * state a command leaves it that was stopped half-way.
   * @throws HostError `session_busy` while another one runs
   */
  async run(request: SessionExecRequest): Promise<SessionResult> {
    if (this.#running) throw new HostError("session_busy", "Wait for the session's last command to end.");
    const maxBytes = Math.min(request.maxOutputBytes ?? Number.POSITIVE_INFINITY, limits.execOutputMaxBytes);
    const [stdout, stderr] = [new CappedOutput(maxBytes), new CappedOutput(maxBytes)];
    const startedMs = performance.now();
    const over = new Promise<Outcome & { isOpen: boolean }>((settle, fail) => {
      this.#running = { stdout, stderr, settle, fail };
    });
    void this.#handle().write(encodeCommand(request.command));
    const timer = setTimeout(() => {
      this.#hasTimedOut = true;
      this.#handle().kill(sigkill);
    }, request.timeoutMs ?? limits.execBufferedMaxMs);
    const { isOpen, ...outcome } = await over.finally(() => clearTimeout(timer));
    const encoding = request.outputEncoding ?? "utf8";
    return {
      ...outcome,
      stdout: stdout.text(encoding),
      stderr: stderr.text(encoding),
      truncated: { stdout: stdout.isTruncated, stderr: stderr.isTruncated },
      durationMs: Math.round((performance.now() - startedMs) * 1000) / 1000,
      sessionState: isOpen ? "running" : "ended",
    };
  }

  #onRecord(record: ShellRecord): void {
    if (record.kind !== "status") this.#running?.[record.kind].push(record.bytes);
    else this.#settle({ exitCode: record.exitCode, endReason: "exited", isOpen: true });
  }

  #settle(outcome: Outcome & { isOpen: boolean }): void {
    const running = this.#running;
    this.#running = undefined;
    running?.settle(outcome);
  }
}
