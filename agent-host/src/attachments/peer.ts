import type { WebSocket } from "ws";
import { type AttachMessage, attachClose } from "#contract/attach";
import type { Problem } from "#contract/errors";
import { limits } from "#contract/limits";
import type { HostError } from "../errors.ts";
import type { CutReason } from "../ports/open-ports.ts";
import { problemOf } from "../problem.ts";

/** The client at the other end of a WebSocket. */
export class Peer {
  readonly socket: WebSocket;
  readonly #requestId: string;
  #isEnding = false;
  #holds = 0;

  constructor(socket: WebSocket, requestId: string) {
    this.socket = socket;
    this.#requestId = requestId;
  }

  get isGone(): boolean {
    return this.#isEnding || this.socket.readyState !== this.socket.OPEN;
  }

  /** Resolves when the kernel has it, so who waits for that is as fast as the client. @throws Error when it has gone */
  send(data: AttachMessage | Buffer): Promise<void> {
    const isBytes = Buffer.isBuffer(data);
    return new Promise((resolve, reject) => {
      const done = (cause?: Error | null) => (cause ? reject(cause) : resolve());
      this.socket.send(isBytes ? data : JSON.stringify(data), { binary: isBytes }, done);
    });
  }

  /** Says nothing more; only the first end counts. */
  close(code: number, reason: string): void {
    if (this.isGone) return;
    this.#isEnding = true;
    this.socket.close(code, reason);
    // Held up or not, the client's farewell is waited for.
    this.socket.resume();
  }

  /** Says why this host cuts the connection. It counts no more, so a farewell that does not come is not waited for. */
  cut(why: CutReason): void {
    const { code, reason } = cutMessages[why];
    this.close(code, reason);
    const timer = setTimeout(() => this.socket.terminate(), limits.attachCutMs).unref();
    this.socket.once("close", () => clearTimeout(timer));
  }

  refuse(error: HostError): void {
    this.fail(problemOf(error, this.#requestId));
  }

  /** Says why, and closes. */
  fail(problem: Problem): void {
    if (this.isGone) return;
    this.send({ type: "error", problem }).catch(() => undefined);
    this.close(attachClose.error(problem.status), problem.code);
  }

  /** Takes nothing more from the client until what is returned is called. */
  hold(): () => void {
    if (this.#holds++ === 0) this.socket.pause();
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      if (--this.#holds === 0) this.socket.resume();
    };
  }

  /**
   * Asks every so often whether the client is there, and cuts the connection when it has not answered by the next
   * time. One that is held up cannot be heard, and one that reads nothing does not answer.
   */
  watch(everyMs: number, onAlive: () => void): void {
    let isAlive = true;
    const timer = setInterval(() => {
      if (!isAlive && this.#holds === 0) return this.socket.terminate();
      isAlive = false;
      this.socket.ping();
    }, everyMs);
    this.socket.on("pong", () => {
      isAlive = true;
      onAlive();
    });
    this.socket.once("close", () => clearInterval(timer));
  }
}

/** What a client is told whose connection this host cuts. */
const cutMessages: Record<CutReason, { code: number; reason: string }> = {
  keyRefused: { code: attachClose.error(401), reason: "unauthenticated" },
  idle: { code: attachClose.hostStops, reason: "idle" },
  stopping: { code: attachClose.hostStops, reason: "the host stops" },
};
