import { fieldTag, frameType } from "#contract/sandboxd";
import { SandboxdError } from "#host/sandboxd/error";
import {
  decodeExit,
  type ExecExit,
  type ExecRequest,
  encodeRequest,
  putSize,
  type TerminalSize,
} from "#host/sandboxd/exec-wire";
import { Fields, FieldWriter } from "#host/sandboxd/fields";
import { type Frame, violation } from "#host/sandboxd/frames";
import type { Link } from "#host/sandboxd/link";
import { decodeError } from "#host/sandboxd/stream-error";
import { ReceiveWindow, SendWindow } from "#host/sandboxd/window";

export type { ExecExit, ExecRequest };

export type ExecSink = {
  onStarted?(pid: number): void;
  /** The program may send more when this has returned, or its promise has resolved. */
  onOutput(kind: "stdout" | "stderr", bytes: Buffer): void | Promise<void>;
};

export type ExecHandle = {
  /** Rejects with SandboxdError. Waits for the sink to have taken all output. */
  readonly exit: Promise<ExecExit>;
  write(bytes: Uint8Array): Promise<void>;
  endStdin(): void;
  /** SIGKILL, the default, ends the whole tree; another signal goes to the program's process group. */
  kill(signal?: number): void;
  /** Sends a signal to the program and to all that it has started; generation 2 of the wire. */
  signalTree(signal: number): void;
  /** Tells a terminal its new size; generation 2 of the wire. */
  resize(size: TerminalSize): void;
  /** Whether `write` and `offer` may be called. */
  readonly takesInput: boolean;
  /** Takes all of these bytes or, when the program is behind with reading, none of them. */
  offer(bytes: Uint8Array): boolean;
};

const sigkill = 9;

/** Runs a program on its own stream. Everything that can go wrong rejects `exit`. */
export function startExec(link: Link, request: ExecRequest, sink: ExecSink): ExecHandle {
  return new Exec(link, request, sink);
}

class Exec implements ExecHandle {
  readonly exit: Promise<ExecExit>;
  readonly #link: Link;
  readonly #sink: ExecSink;
  readonly #stdin: SendWindow;
  readonly #output: ReceiveWindow;
  #stream = 0;
  #isOpen = false;
  readonly #hasStdin: boolean;
  #acceptsStdin: boolean;
  #unhandledOutputs = 0;
  #result: ExecExit | undefined;
  #failure: SandboxdError | undefined;
  #resolve: (exit: ExecExit) => void = () => {};
  #reject: (cause: SandboxdError) => void = () => {};

  constructor(link: Link, request: ExecRequest, sink: ExecSink) {
    this.#link = link;
    this.#sink = sink;
    this.#hasStdin = request.stdin === true || request.terminal !== undefined;
    this.#acceptsStdin = this.#hasStdin;
    this.exit = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // A caller that only reads the output must not bring the process down with an unhandled rejection.
    this.exit.catch(() => {});
    this.#stdin = new SendWindow((piece) => link.send(frameType.stdin, this.#stream, piece));
    this.#output = new ReceiveWindow((bytes) => {
      if (this.#isOpen) link.sendCredit(this.#stream, bytes);
    });
    try {
      const payload = encodeRequest(request);
      this.#stream = link.open({
        onFrame: (frame) => this.#onFrame(frame),
        onClosed: (reason) => this.#end(reason),
      });
      this.#isOpen = true;
      link.send(frameType.exec, this.#stream, payload);
    } catch (cause) {
      this.#end(
        cause instanceof SandboxdError ? cause : new SandboxdError("internal", "exec failed.", { cause }),
      );
    }
  }

  write(bytes: Uint8Array): Promise<void> {
    const written = this.#acceptsStdin
      ? this.#stdin.write(bytes)
      : Promise.reject(new SandboxdError("badRequest", "This exec takes no more stdin."));
    written.catch(() => {});
    return written;
  }

  endStdin(): void {
    if (!this.#acceptsStdin) return;
    this.#acceptsStdin = false;
    // An empty write resolves when everything before it has been sent.
    this.#stdin.write(Buffer.alloc(0)).then(
      () => this.#isOpen && this.#link.send(frameType.stdinEnd, this.#stream),
      () => {},
    );
  }

  get takesInput(): boolean {
    return this.#acceptsStdin;
  }

  offer(bytes: Uint8Array): boolean {
    return this.#acceptsStdin && this.#stdin.offer(bytes);
  }

  kill(signal = sigkill): void {
    this.#sendKill(signal, new FieldWriter());
  }

  signalTree(signal: number): void {
    this.#sendKill(signal, new FieldWriter().putUint(fieldTag.isTree, 1, 2));
  }

  resize(size: TerminalSize): void {
    if (!this.#isOpen) return;
    this.#link.send(frameType.resize, this.#stream, putSize(new FieldWriter(), size).finish());
  }

  #sendKill(signal: number, fields: FieldWriter): void {
    if (!Number.isInteger(signal) || signal < 1 || signal > 64)
      throw new RangeError(`${signal} is not a signal.`);
    if (!this.#isOpen) return;
    this.#link.send(frameType.kill, this.#stream, fields.putUint(fieldTag.signal, signal, 4).finish());
  }

  #onFrame(frame: Frame): void {
    switch (frame.type) {
      case frameType.stdout:
        this.#onOutput("stdout", frame.payload);
        break;
      case frameType.stderr:
        this.#onOutput("stderr", frame.payload);
        break;
      case frameType.started: {
        const pid = new Fields(frame.payload).uint32(fieldTag.pid);
        this.#callSink(() => this.#sink.onStarted?.(pid));
        break;
      }
      case frameType.credit:
        if (frame.payload.length !== 4) throw violation("credit of a wrong length");
        this.#stdin.grant(frame.payload.readUInt32LE());
        break;
      case frameType.exit:
        this.#result = decodeExit(frame.payload);
        this.#end(undefined);
        break;
      case frameType.streamError:
        this.#end(decodeError(frame.payload));
        break;
      default:
        throw violation(`a frame of type ${frame.type} on an exec`);
    }
  }

  #onOutput(kind: "stdout" | "stderr", bytes: Buffer): void {
    this.#output.take(bytes.length);
    const taken =
      this.#failure === undefined ? this.#callSink(() => this.#sink.onOutput(kind, bytes)) : undefined;
    if (!(taken instanceof Promise)) {
      this.#output.release(bytes.length);
      return;
    }
    this.#unhandledOutputs += 1;
    taken
      .catch((cause: unknown) => this.#failSink(cause))
      .finally(() => {
        this.#unhandledOutputs -= 1;
        this.#output.release(bytes.length);
        this.#settle();
      });
  }

  // A reader that fails ends its own exec, never the connection that others share.
  #callSink<T>(call: () => T): T | undefined {
    try {
      return call();
    } catch (cause) {
      this.#failSink(cause);
      return undefined;
    }
  }

  #failSink(cause: unknown): void {
    this.#failure ??= new SandboxdError("internal", "The reader of the output failed.", { cause });
    this.kill();
  }

  #end(failure: SandboxdError | undefined): void {
    if (this.#isOpen) this.#link.release(this.#stream);
    this.#isOpen = false;
    this.#acceptsStdin = false;
    this.#failure ??= failure;
    // An error takes its stack when it is made: most commands have no input that could have to be told.
    if (this.#hasStdin) this.#stdin.close(new SandboxdError("closed", "The program has ended."));
    if (failure?.code === "closed") this.#reject(failure);
    this.#settle();
  }

  #settle(): void {
    if (this.#isOpen || this.#unhandledOutputs > 0) return;
    if (this.#failure !== undefined) this.#reject(this.#failure);
    else if (this.#result !== undefined) this.#resolve(this.#result);
  }
}
