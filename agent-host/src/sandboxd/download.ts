import { fieldTag, frameType } from "#contract/sandboxd";
import { SandboxdError } from "#host/sandboxd/error";
import {
  decodeStat,
  encodePath,
  type FileRead,
  type FileStat,
  type ReadRequest,
  type ShortFile,
} from "#host/sandboxd/files";
import { type Frame, violation } from "#host/sandboxd/frames";
import type { Link } from "#host/sandboxd/link";
import { decodeError } from "#host/sandboxd/stream-error";
import { ReceiveWindow } from "#host/sandboxd/window";

/** Opens a file and resolves with its stat; the body asks sandboxd for no more than its reader takes. */
export function readFile(link: Link, request: ReadRequest): Promise<FileRead> {
  return new Promise((resolve, reject) => {
    new Download(link, request, { resolve, reject });
  });
}

/** The same for a whole file. A short one is resolved with when all of it is there, and costs no stream. */
export function readWhole(link: Link, path: string, bytesMax: number): Promise<FileRead | ShortFile> {
  return new Promise((resolve, reject) => {
    new Download(link, { path }, { resolve, reject, short: { resolve, bytesMax } });
  });
}

type Opening = {
  resolve: (read: FileRead) => void;
  reject: (cause: SandboxdError) => void;
  short?: { resolve: (file: ShortFile) => void; bytesMax: number };
};

/** A file that is being collected. */
type Short = { file: ShortFile; at: number };

/** One file read: frames go into a queue of at most one window, the body's reader takes them out. */
class Download {
  readonly #link: Link;
  readonly #stream: number;
  readonly #opened: Opening;
  readonly #chunks: Buffer[] = [];
  readonly #window: ReceiveWindow;
  #body: ReadableStreamDefaultController<Uint8Array> | undefined;
  #isEnded = false;
  #short: Short | undefined;
  /** The reader waits for the next chunk. */
  #wanted: (() => void) | undefined;

  constructor(link: Link, request: ReadRequest, opened: Opening) {
    const fields = encodePath(request.path);
    if (request.offset !== undefined) fields.putUint(fieldTag.offset, request.offset, 8);
    if (request.length !== undefined) fields.putUint(fieldTag.length, request.length, 8);
    this.#link = link;
    this.#opened = opened;
    this.#stream = link.open({
      onFrame: (frame) => this.#onFrame(frame),
      onClosed: (reason) => this.#fail(reason),
    });
    this.#window = new ReceiveWindow((bytes) => {
      if (!this.#isEnded) link.sendCredit(this.#stream, bytes);
    });
    link.send(frameType.fileRead, this.#stream, fields.finish());
  }

  #onFrame(frame: Frame): void {
    const isOpen = this.#body !== undefined;
    if (frame.type === frameType.streamError) {
      this.#link.release(this.#stream);
      this.#fail(decodeError(frame.payload));
    } else if (this.#short) {
      this.#collect(frame, this.#short);
    } else if (frame.type === frameType.fileStat && !isOpen) {
      this.#open(decodeStat(frame.payload));
    } else if (frame.type === frameType.data && isOpen && frame.payload.length > 0) {
      this.#window.take(frame.payload.length);
      this.#chunks.push(frame.payload);
      this.#wake();
    } else if (frame.type === frameType.end && isOpen) {
      this.#link.release(this.#stream);
      this.#isEnded = true;
      this.#wake();
    } else {
      throw violation(`a frame of type ${frame.type} on a file read`);
    }
  }

  #open(stat: FileStat): void {
    if (stat.size > (this.#opened.short?.bytesMax ?? -1))
      this.#opened.resolve({ stat, body: this.#createBody() });
    else this.#short = { file: { stat, bytes: new Uint8Array(stat.size) }, at: 0 };
  }

  /** All of a short file. It must be exactly as long as was said: its answer says so before its bytes. */
  #collect({ type, payload }: Frame, short: Short): void {
    const { bytes } = short.file;
    const isEnd = type === frameType.end;
    if (!isEnd && (type !== frameType.data || payload.length === 0))
      throw violation(`a frame of type ${type} on a file read`);
    const isExact = isEnd ? short.at === bytes.length : short.at + payload.length <= bytes.length;
    if (isEnd) this.#link.release(this.#stream);
    else if (!isExact) this.#link.abandon(this.#stream);
    if (!isExact) this.#fail(new SandboxdError("io", "The file has another size than was said."));
    else if (isEnd) this.#opened.short?.resolve(short.file);
    else bytes.set(payload, short.at);
    short.at += payload.length;
  }

  #createBody(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#body = controller;
        },
        pull: () => {
          if (this.#handOver()) return;
          return new Promise<void>((resolve) => {
            this.#wanted = resolve;
          });
        },
        cancel: () => {
          this.#chunks.length = 0;
          if (!this.#isEnded) this.#link.abandon(this.#stream);
          this.#isEnded = true;
        },
      },
      { highWaterMark: 0 },
    );
  }

  /** Gives the reader a chunk or the end; false when there is neither yet. */
  #handOver(): boolean {
    const chunk = this.#chunks.shift();
    if (chunk !== undefined) {
      this.#window.release(chunk.length);
      this.#body?.enqueue(chunk);
    } else if (this.#isEnded) {
      this.#body?.close();
    } else {
      return false;
    }
    return true;
  }

  #wake(): void {
    if (this.#wanted === undefined || !this.#handOver()) return;
    this.#wanted();
    this.#wanted = undefined;
  }

  #fail(cause: SandboxdError): void {
    this.#isEnded = true;
    this.#opened.reject(cause);
    this.#body?.error(cause);
    this.#wanted?.();
  }
}
