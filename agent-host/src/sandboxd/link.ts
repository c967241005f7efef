import type { Socket } from "node:net";
import { framePayloadMaxBytes, frameType, streamWindowBytes } from "#contract/sandboxd";
import { SandboxdError } from "#host/sandboxd/error";
import { encodeFrame, encodeHeader, type Frame, FrameDecoder, violation } from "#host/sandboxd/frames";

/** What one stream does with its frames. Throwing from `onFrame` closes the whole connection. */
export type StreamHandler = {
  onFrame(frame: Frame): void;
  /** The connection has ended; no frame follows. */
  onClosed(reason: SandboxdError): void;
};

const copiedPayloadMaxBytes = 4096;
const abandonedMax = 1024;
const empty = Buffer.alloc(0);

/** The socket as multiplexed streams: it opens and routes them, joins small writes, and closes on any violation. */
export class Link {
  readonly closed: Promise<SandboxdError>;
  readonly #socket: Socket;
  readonly #streams = new Map<number, StreamHandler>();
  /** Streams we gave up: what was already on its way is dropped, up to their window. */
  readonly #abandoned = new Map<number, number>();
  readonly #decoder = new FrameDecoder();
  readonly #onConnectionFrame: (frame: Frame) => void;
  #nextStream = 1;
  #isCorked = false;
  #reason: SandboxdError | undefined;
  #settleClosed: (reason: SandboxdError) => void = () => {};

  constructor(socket: Socket, onConnectionFrame: (frame: Frame) => void) {
    this.#socket = socket;
    this.#onConnectionFrame = onConnectionFrame;
    this.closed = new Promise((resolve) => {
      this.#settleClosed = resolve;
    });
    socket.on("data", (chunk: Buffer) => this.#onData(chunk));
    socket.on("error", (cause) =>
      this.close(new SandboxdError("closed", "The connection broke.", { cause })),
    );
    socket.on("close", () => this.close(new SandboxdError("closed", "sandboxd closed the connection.")));
  }

  get isOpen(): boolean {
    return this.#reason === undefined;
  }

  /** Registers a stream and returns its id. @throws SandboxdError `closed` */
  open(handler: StreamHandler): number {
    if (this.#reason !== undefined) throw new SandboxdError("closed", this.#reason.message);
    let stream = this.#nextStream;
    while (this.#streams.has(stream) || this.#abandoned.has(stream)) stream = following(stream);
    this.#nextStream = following(stream);
    this.#streams.set(stream, handler);
    return stream;
  }

  /** The stream has had its last frame. */
  release(stream: number): void {
    this.#streams.delete(stream);
  }

  /** Cancels the stream at sandboxd's side and drops what still comes. */
  abandon(stream: number): void {
    if (!this.#streams.delete(stream)) return;
    this.send(frameType.cancel, stream);
    this.#abandoned.set(stream, streamWindowBytes);
    for (const oldest of this.#abandoned.keys()) {
      if (this.#abandoned.size <= abandonedMax) break;
      this.#abandoned.delete(oldest);
    }
  }

  send(type: number, stream: number, payload: Uint8Array = empty): void {
    if (this.#reason !== undefined) return;
    this.#cork();
    if (payload.length <= copiedPayloadMaxBytes) {
      this.#socket.write(encodeFrame(type, stream, payload));
      return;
    }
    for (let at = 0; at < payload.length; at += framePayloadMaxBytes) {
      const piece = payload.subarray(at, at + framePayloadMaxBytes);
      this.#socket.write(encodeHeader(type, stream, piece.length));
      this.#socket.write(piece);
    }
  }

  sendCredit(stream: number, bytes: number): void {
    const payload = Buffer.allocUnsafe(4);
    payload.writeUInt32LE(bytes);
    this.send(frameType.credit, stream, payload);
  }

  /** Ends the connection; every stream learns of it before `closed` resolves. */
  close(reason: SandboxdError): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#socket.destroy();
    const streamReason = new SandboxdError("closed", reason.message, { cause: reason });
    for (const handler of [...this.#streams.values()]) handler.onClosed(streamReason);
    this.#streams.clear();
    this.#settleClosed(reason);
  }

  // All that one turn of the event loop sends goes out in one system call.
  #cork(): void {
    if (this.#isCorked) return;
    this.#isCorked = true;
    this.#socket.cork();
    process.nextTick(() => {
      this.#isCorked = false;
      this.#socket.uncork();
    });
  }

  #onData(chunk: Buffer): void {
    try {
      for (const frame of this.#decoder.push(chunk)) {
        this.#route(frame);
        if (this.#reason !== undefined) return;
      }
    } catch (cause) {
      const reason =
        cause instanceof SandboxdError
          ? cause
          : new SandboxdError("protocol", "A frame could not be handled.", { cause });
      this.close(reason);
    }
  }

  #route(frame: Frame): void {
    if (frame.stream === 0) {
      this.#onConnectionFrame(frame);
      return;
    }
    const handler = this.#streams.get(frame.stream);
    if (handler !== undefined) handler.onFrame(frame);
    else this.#dropAbandoned(frame);
  }

  #dropAbandoned(frame: Frame): void {
    const leftBytes = this.#abandoned.get(frame.stream);
    if (leftBytes === undefined) throw violation("a frame on a stream that is not open");
    // Frames without payload count too, so that a flood of them ends.
    const left = leftBytes - frame.payload.length - 1;
    if (left < 0) throw violation("more on a cancelled stream than its window");
    this.#abandoned.set(frame.stream, left);
    // Not at an `end`, which ends one direction of a port only.
    if (frame.type === frameType.portClosed || frame.type === frameType.streamError)
      this.#abandoned.delete(frame.stream);
  }
}

function following(stream: number): number {
  return stream >= 0xffffffff ? 1 : stream + 1;
}
