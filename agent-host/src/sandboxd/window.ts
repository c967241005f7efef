import { streamWindowBytes } from "#contract/sandboxd";
import { violation } from "#host/sandboxd/frames";

/** What the peer may still send us on one stream; credit goes back in steps, not per frame. */
export class ReceiveWindow {
  #leftBytes: number;
  #consumedBytes = 0;
  readonly #windowBytes: number;
  readonly #grant: (bytes: number) => void;

  constructor(grant: (bytes: number) => void, windowBytes = streamWindowBytes) {
    this.#grant = grant;
    this.#windowBytes = windowBytes;
    this.#leftBytes = windowBytes;
  }

  /** @throws SandboxdError `protocol` when the peer sent more than it was granted */
  take(bytes: number): void {
    if (bytes > this.#leftBytes) throw violation("more bytes than the stream's window");
    this.#leftBytes -= bytes;
  }

  /** The reader is done with these bytes. */
  release(bytes: number): void {
    this.#consumedBytes += bytes;
    if (this.#consumedBytes < this.#windowBytes / 4) return;
    this.#leftBytes += this.#consumedBytes;
    this.#grant(this.#consumedBytes);
    this.#consumedBytes = 0;
  }
}

type Waiter = { bytes: Uint8Array; resolve: () => void; reject: (cause: Error) => void };

/** Sends bytes in order as far as the peer has granted credit; the rest waits. */
export class SendWindow {
  static readonly #pieceBytes = 64 * 1024;
  #credit: number;
  #waiting: Waiter[] = [];
  #closedBy: Error | undefined;
  readonly #windowBytes: number;
  readonly #send: (piece: Uint8Array) => void;

  /** @param creditBytes less than the window where some of it is in flight already */
  constructor(
    send: (piece: Uint8Array) => void,
    windowBytes: number = streamWindowBytes,
    creditBytes = windowBytes,
  ) {
    this.#send = send;
    this.#windowBytes = windowBytes;
    this.#credit = creditBytes;
  }

  /** Resolves when the last byte has been handed to the socket. */
  write(bytes: Uint8Array): Promise<void> {
    if (this.#closedBy !== undefined) return Promise.reject(this.#closedBy);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ bytes, resolve, reject });
      this.#pump();
    });
  }

  /** Sends all of it, or nothing where that would have to wait. */
  offer(bytes: Uint8Array): boolean {
    if (this.#closedBy !== undefined || this.#waiting.length > 0 || bytes.length > this.#credit) return false;
    void this.write(bytes);
    return true;
  }

  /** @throws SandboxdError `protocol` when the peer grants more than the window */
  grant(bytes: number): void {
    if (this.#credit + bytes > this.#windowBytes) throw violation("credit beyond the window");
    this.#credit += bytes;
    this.#pump();
  }

  close(cause: Error): void {
    this.#closedBy = cause;
    for (const waiter of this.#waiting.splice(0)) waiter.reject(cause);
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  #pump(): void {
    for (let head = this.#waiting[0]; head !== undefined; head = this.#waiting[0]) {
      while (head.bytes.length > 0) {
        const length = Math.min(head.bytes.length, this.#credit, SendWindow.#pieceBytes);
        if (length === 0) return;
        this.#send(head.bytes.subarray(0, length));
        this.#credit -= length;
        head.bytes = head.bytes.subarray(length);
      }
      this.#waiting.shift();
      head.resolve();
    }
  }
}
