import type { ExecResult } from "#contract/exec";
import { type ExecId, newExecId } from "#contract/ids";
import {
  type Process,
  type ProcessName,
  type ProcessRequest,
  type SessionExecRequest,
  type SessionRequest,
  type SessionResult,
  type SignalName,
  signalNumbers,
  type TerminalSize,
} from "#contract/process";
import { AppError } from "#worker/errors";
import { FakeOutput } from "./output.ts";

const ended = {
  stdout: "",
  stderr: "",
  truncated: { stdout: false, stderr: false },
  durationMs: 1,
};

type Machine = { run: (request: ProcessRequest) => ExecResult };

/** The processes of one fake sandbox: `sleep` and `cat` run until they are told to end, everything else has ended. */
export class FakeProcesses {
  readonly #all: FakeProcess[] = [];

  start(machine: Machine, request: ProcessRequest): Process {
    const process = new FakeProcess(request, this.#all.length + 2);
    const [program] = [request.command].flat()[0]?.split(" ") ?? [];
    const goesOn =
      program === "sleep" || (program === "cat" && (request.stdin === true || request.pty !== undefined));
    // Before it is on any list: what cannot be started never was.
    const result = goesOn ? undefined : machine.run(request);
    this.#all.unshift(process);
    if (result) {
      if (result.stdout !== "") process.print(result.stdout);
      process.end(result);
    }
    return process.shown;
  }

  openSession({ tag }: SessionRequest): Process {
    const process = new FakeProcess(
      { command: "bash", ...(tag !== undefined && { tag }) },
      this.#all.length + 2,
    );
    process.shown = { ...process.shown, kind: "session" };
    this.#all.unshift(process);
    return process.shown;
  }

  /** Knows `exit`, as the one command that a session does not outlive. */
  runIn(machine: Machine, name: ProcessName, { timeoutMs, ...request }: SessionExecRequest): SessionResult {
    const process = this.find(name);
    if (process.shown.kind !== "session") throw new AppError("process_not_found", "It is no session.");
    if (process.shown.state === "ended") throw new AppError("process_ended", "The session has ended.");
    const result = machine.run({ ...request, ...(timeoutMs !== undefined && { timeoutMs }) });
    const isOver = request.command.startsWith("exit ") || result.endReason === "timeout";
    if (isOver) process.end(result);
    return { ...result, sessionState: isOver ? "ended" : "running" };
  }

  list(): Process[] {
    return this.#all.map(({ shown }) => shown);
  }

  find(name: ProcessName): FakeProcess {
    const found = this.#all.find(({ shown }) => shown.id === name || String(shown.pid) === name);
    if (!found) throw new AppError("process_not_found", "There is no such process.");
    return found;
  }
}

export class FakeProcess {
  shown: Process;
  readonly #output = new FakeOutput();
  #takesInput: boolean;

  constructor({ command, tag, stdin, pty }: ProcessRequest, pid: number) {
    this.#takesInput = stdin ?? pty !== undefined;
    this.shown = {
      id: newExecId(),
      pid,
      kind: "process",
      command: [command].flat().join(" "),
      ...(tag !== undefined && { tag }),
      ...(pty && { pty }),
      state: "running",
      startedAt: new Date(0).toISOString(),
    };
  }

  get id(): ExecId {
    return this.shown.id;
  }

  print(data: string): void {
    this.#output.print(data);
  }

  /** The first end is the end. */
  end({ stdout: _out, stderr: _err, truncated, ...end }: ExecResult): void {
    if (this.shown.state === "ended") return;
    this.shown = { ...this.shown, state: "ended", endedAt: new Date(1).toISOString(), ...end };
    this.#output.end({ truncated, ...end });
  }

  write(bytes: Uint8Array, isLast: boolean): void {
    if (this.shown.state === "ended") throw new AppError("process_ended", "The process has ended.");
    if (!this.#takesInput && bytes.length > 0) throw new AppError("input_closed", "It takes no input.");
    // Whatever reads in here is `cat`.
    if (bytes.length > 0) this.print(new TextDecoder().decode(bytes));
    if (!isLast || !this.#takesInput) return;
    this.#takesInput = false;
    this.end({ ...ended, exitCode: 0, endReason: "exited" });
  }

  resize(size: TerminalSize): void {
    if (this.shown.state === "ended") throw new AppError("process_ended", "The process has ended.");
    if (!this.shown.pty) throw new AppError("not_a_terminal", "It has no terminal.");
    this.shown = { ...this.shown, pty: size };
  }

  signal(name: SignalName): void {
    if (this.shown.state === "ended") throw new AppError("process_ended", "The process has ended.");
    const isHarmless = ["SIGCONT", "SIGSTOP", "SIGTSTP", "SIGWINCH"].includes(name);
    if (!isHarmless) this.kill(signalNumbers[name]);
  }

  kill(signal: number): void {
    this.end({ ...ended, exitCode: 128 + signal, signal, endReason: "killed" });
  }

  /** Events after a number, to the end of the process. */
  follow(after: number): ReadableStream<Uint8Array> {
    return this.#output.follow(after);
  }
}
