import { fieldTag, frameType, streamWindowBytes } from "#contract/sandboxd";
import { SandboxdError } from "#host/sandboxd/error";
import type { ExecHandle, ExecSink } from "#host/sandboxd/exec-handle";
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
import { decodeRecalled } from "#host/sandboxd/kept";
import type { Link } from "#host/sandboxd/link";
import { decodeError } from "#host/sandboxd/stream-error";
import { ReceiveWindow, SendWindow } from "#host/sandboxd/window";

export type { ExecExit, ExecHandle, ExecRequest, ExecSink };

const sigkill = 9;

/** Runs a program on its own stream. Everything that can go wrong rejects `exit`. */
export function startExec(link: Link, request: ExecRequest, sink: ExecSink): ExecHandle {
  const hasStdin = request.stdin === true || request.terminal !== undefined;
  return new Exec(link, sink, {
    type: frameType.exec,
    payload: () => encodeRequest(request),
    ...(hasStdin && { inputCredit: streamWindowBytes }),
  });
}

/** Takes up what a former connection had started: what is kept of its output, what comes, and its end. */
export function recallExec(link: Link, tag: string, sink: ExecSink): ExecHandle {
  const payload = () => new FieldWriter().put(fieldTag.tag, tag).finish();
  return new Exec(link, sink, { type: frameType.recall, payload });
}

type Opening = {
  type: number;
  payload: () => Buffer;
  /** What may be sent to its input; absent when it has none, or that is still to be heard. */
  inputCredit?: number;
};

class Exec implements ExecHandle {
  readonly exit: Promise<ExecExit>;
  readonly #link: Link;
  readonly #sink: ExecSink;
  #stdin: SendWindow;
  #hasStdin = false;
  readonly #output: ReceiveWindow;
  #stream = 0;
  #isOpen = false;
  /** Nothing may come before the answer to a recall. */
  #isRecalling: boolean;
  #acceptsStdin = false;
  #unhandledOutputs = 0;
  #result: ExecExit | undefined;
  #failure: SandboxdError | undefined;
  #resolve: (exit: ExecExit) => void = () => {};
  #reject: (cause: SandboxdError) => void = () => {};

  constructor(link: Link, sink: ExecSink, { type, payload, inputCredit }: Opening) {
    this.#link = link;
    this.#sink = sink;
    this.#isRecalling = type === frameType.recall;
    this.#stdin = this.#openStdin(inputCredit);
    this.exit = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // A caller that only reads the output must not bring the process down with an unhandled rejection.
    this.exit.catch(() => {});
    this.#output = new ReceiveWindow((bytes) => {
      if (this.#isOpen) link.sendCredit(this.#stream, bytes);
    });
    try {
      const bytes = payload();
      this.#stream = link.open({
        onFrame: (frame) => this.#onFrame(frame),
        onClosed: (reason) => this.#end(reason),
      });
      this.#isOpen = true;
      link.send(type, this.#stream, bytes);
    } catch (cause) {
      this.#end(
        cause instanceof SandboxdError ? cause : new SandboxdError("internal", "exec failed.", { cause }),
      );
    }
  }

  #openStdin(credit: number | undefined, others = streamWindowBytes): SendWindow {
    this.#hasStdin = credit !== undefined;
    this.#acceptsStdin = this.#hasStdin;
    const send = (piece: Uint8Array) => this.#link.send(frameType.stdin, this.#stream, piece);
    return new SendWindow(send, streamWindowBytes, credit ?? others);
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
    const isAnswer = frame.type === frameType.recalled || frame.type === frameType.streamError;
    if (this.#isRecalling && !isAnswer) throw violation("a frame before the answer to a recall");
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
      case frameType.recalled: {
        if (!this.#isRecalling) throw violation("an answer to no recall");
        this.#isRecalling = false;
        const recalled = decodeRecalled(frame.payload);
        // Credit may still come for what the former host had sent.
        this.#stdin = this.#openStdin(recalled.inputCredit, 0);
        this.#callSink(() => this.#sink.onRecalled?.(recalled));
        break;
      }
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
