import { Duplex } from "node:stream";
import { fieldTag, frameType, portWindowBytes } from "#contract/sandboxd";
import { SandboxdError } from "#host/sandboxd/error";
import { FieldWriter } from "#host/sandboxd/fields";
import { type Frame, violation } from "#host/sandboxd/frames";
import type { Link } from "#host/sandboxd/link";
import { decodeError } from "#host/sandboxd/stream-error";
import { ReceiveWindow, SendWindow } from "#host/sandboxd/window";

export type PortRequest = { port: number; timeoutMs: number };

/**
 * Connects to a server on the sandbox's own loopback. The connection half-closes in both directions, holds at most a
 * window of either, and asks for no more than its reader takes.
 * @throws SandboxdError `portRefused`, `portTimeout`, `tooMany`, `closed`
 */
export function connectPort(link: Link, request: PortRequest): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    new PortStream(link, request, { resolve, reject });
  });
}

type Opening = { resolve: (connection: Duplex) => void; reject: (cause: SandboxdError) => void };

class PortStream extends Duplex {
  readonly #link: Link;
  readonly #stream: number;
  readonly #opening: Opening;
  readonly #received: ReceiveWindow;
  readonly #sent: SendWindow;
  readonly #chunks: Buffer[] = [];
  #isOpened = false;
  /** Until the last frame of the stream has come, or we have given it up. */
  #isRegistered = true;
  #hasPeerEnded = false;
  /** The server takes no more; what it has sent can still be read. */
  #isPeerGone = false;
  /** What its end was, behind the chunks; null = a good one. */
  #brokenBy: SandboxdError | null = null;
  #isWanted = false;

  constructor(link: Link, request: PortRequest, opening: Opening) {
    super({ allowHalfOpen: true, readableHighWaterMark: 64 * 1024, writableHighWaterMark: 64 * 1024 });
    // A sandbox may die while nobody listens to this connection, which must not be the end of its host.
    this.on("error", () => {});
    this.#link = link;
    this.#opening = opening;
    this.#stream = link.open({
      onFrame: (frame) => this.#onFrame(frame),
      onClosed: (reason) => this.#fail(reason),
    });
    this.#received = new ReceiveWindow((bytes) => {
      if (this.#isRegistered && !this.#hasPeerEnded) link.sendCredit(this.#stream, bytes);
    }, portWindowBytes);
    this.#sent = new SendWindow((piece) => link.send(frameType.data, this.#stream, piece), portWindowBytes);
    const fields = new FieldWriter()
      .putUint(fieldTag.port, request.port, 2)
      .putUint(fieldTag.timeoutMs, request.timeoutMs, 4);
    link.send(frameType.portOpen, this.#stream, fields.finish());
  }

  override _read(): void {
    this.#isWanted = true;
    this.#handOver();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    // A server may answer and go before it has read everything: its answer tells, not our failure to write.
    const failed = (cause: Error) => done(this.#isPeerGone ? null : cause);
    if (this.#isPeerGone) done();
    else this.#sent.write(chunk).then(() => done(), failed);
  }

  override _final(done: (error?: Error | null) => void): void {
    if (this.#isRegistered) this.#link.send(frameType.end, this.#stream);
    done();
  }

  override _destroy(cause: Error | null, done: (error?: Error | null) => void): void {
    this.#sent.close(cause ?? new SandboxdError("closed", "We closed the connection."));
    this.#chunks.length = 0;
    if (this.#isRegistered) this.#link.abandon(this.#stream);
    this.#isRegistered = false;
    done(cause);
  }

  #onFrame(frame: Frame): void {
    if (frame.type === frameType.streamError) {
      this.#onClosed(decodeError(frame.payload));
    } else if (frame.type === frameType.portOpened && !this.#isOpened) {
      this.#isOpened = true;
      this.#opening.resolve(this);
    } else if (!this.#isOpened) {
      throw violation(`a frame of type ${frame.type} on a port that is not open`);
    } else if (frame.type === frameType.data && !this.#hasPeerEnded && frame.payload.length > 0) {
      this.#received.take(frame.payload.length);
      this.#chunks.push(frame.payload);
      this.#handOver();
    } else if (frame.type === frameType.credit && frame.payload.length === 4) {
      this.#sent.grant(frame.payload.readUInt32LE());
    } else if (frame.type === frameType.end && !this.#hasPeerEnded) {
      this.#hasPeerEnded = true;
      this.#handOver();
    } else if (frame.type === frameType.portClosed && this.#hasPeerEnded) {
      this.#onClosed(null);
    } else {
      throw violation(`a frame of type ${frame.type} on a port`);
    }
  }

  #onClosed(brokenBy: SandboxdError | null): void {
    this.#link.release(this.#stream);
    this.#isRegistered = false;
    if (!this.#isOpened) {
      this.#opening.reject(brokenBy ?? violation("the end of a port that never was open"));
      return;
    }
    this.#isPeerGone = true;
    this.#hasPeerEnded = true;
    this.#brokenBy = brokenBy;
    this.#sent.close(new SandboxdError("portReset", "The server takes no more."));
    this.#handOver();
  }

  /** Chunks, and the end behind them, as far as the reader wants them. */
  #handOver(): void {
    while (this.#isWanted) {
      const chunk = this.#chunks.shift();
      if (chunk === undefined) break;
      this.#received.release(chunk.length);
      this.#isWanted = this.push(chunk);
    }
    if (!this.#hasPeerEnded || this.#chunks.length > 0) return;
    if (this.#brokenBy) this.destroy(this.#brokenBy);
    else if (this.#isWanted) this.push(null);
    this.#isWanted = false;
  }

  #fail(cause: SandboxdError): void {
    this.#isRegistered = false;
    if (this.#isOpened) this.destroy(cause);
    else this.#opening.reject(cause);
  }
}
