import {
  closeSync,
  fdatasync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

/** A place between two lines. */
export type Position = { segment: number; offset: number };
export type Line = { text: string; end: Position };

type Segment = { number: number; bytes: number };
const name = (number: number) => `${String(number).padStart(10, "0")}.log`;
const sync = promisify(fdatasync);

/**
 * Lines that are only ever appended, in a folder of files which are removed from the oldest on. Each process appends to
 * a file of its own, so what a crash has cut short is never written behind.
 */
export class Segments {
  readonly #folder: string;
  #segments: Segment[] = [];
  #fd: number | undefined;
  /** Files that were written to and not synced since, but for the current one. */
  #unsynced: number[] = [];
  #isSynced = true;
  #isClosed = false;

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const numbers = readdirSync(folder).flatMap((file) => /^(\d{10})\.log$/.exec(file)?.[1] ?? []);
    for (const number of numbers.map(Number).sort((a, b) => a - b)) {
      this.#segments.push({ number, bytes: statSync(join(folder, name(number))).size });
    }
  }

  get bytes(): number {
    return this.#segments.reduce((sum, { bytes }) => sum + bytes, 0);
  }
  get currentBytes(): number {
    return this.#fd === undefined ? 0 : (this.#segments.at(-1)?.bytes ?? 0);
  }
  get first(): Position {
    return { segment: this.#segments[0]?.number ?? 1, offset: 0 };
  }
  get end(): Position {
    const last = this.#segments.at(-1);
    return { segment: last?.number ?? 1, offset: last?.bytes ?? 0 };
  }

  /** Begins a new file, unless the current one is still empty. @throws Error when the disk takes none */
  roll(): void {
    if (this.#isClosed) throw new Error("The files are closed; another process may have them.");
    if (this.#fd !== undefined && this.currentBytes === 0) return;
    const number = (this.#segments.at(-1)?.number ?? 0) + 1;
    const fd = openSync(join(this.#folder, name(number)), "ax", 0o600);
    if (this.#fd !== undefined) this.#unsynced.push(this.#fd);
    this.#fd = fd;
    this.#segments.push({ number, bytes: 0 });
  }

  /** All of the text or nothing. @throws Error when the disk does not take it */
  append(text: string): void {
    if (this.#fd === undefined) this.roll();
    const last = this.#segments.at(-1);
    if (this.#fd === undefined || !last) throw new Error("There is no file to append to.");
    const bytes = Buffer.from(text);
    let written = 0;
    try {
      while (written < bytes.length) written += writeSync(this.#fd, bytes, written);
    } catch (cause) {
      ftruncateSync(this.#fd, last.bytes);
      throw cause;
    }
    last.bytes += bytes.length;
    this.#isSynced = false;
  }

  /** Whole lines of one file, from a position on, so many bytes of them at most. */
  read(from: Position, maxBytes: number): Line[] {
    const segment = this.#segments.find(({ number }) => number === from.segment);
    if (!segment || from.offset >= segment.bytes) return [];
    const buffer = Buffer.alloc(Math.min(maxBytes, segment.bytes - from.offset));
    const fd = openSync(join(this.#folder, name(segment.number)), "r");
    try {
      const count = readSync(fd, buffer, 0, buffer.length, from.offset);
      return linesOf(buffer.subarray(0, count), from);
    } finally {
      closeSync(fd);
    }
  }

  /** Every line that there is, oldest first; one that was cut short is left out. */
  *all(): Generator<Line> {
    for (const { number } of [...this.#segments]) {
      const bytes = readFileSync(join(this.#folder, name(number)));
      yield* linesOf(bytes, { segment: number, offset: 0 });
    }
  }

  /** The beginning of the next file, where one follows this. */
  after({ segment }: Position): Position | undefined {
    const next = this.#segments.find(({ number }) => number > segment);
    return next && { segment: next.number, offset: 0 };
  }

  /** Removes the files before this position's. The one that is written to stays. */
  removeBefore({ segment }: Position): void {
    while (this.#segments.length > 1 && (this.#segments[0]?.number ?? segment) < segment) {
      const oldest = this.#segments.shift();
      if (oldest) rmSync(join(this.#folder, name(oldest.number)), { force: true });
    }
  }

  /** Resolves once all that was appended before is on the disk itself. */
  async sync(): Promise<void> {
    const closing = this.#unsynced.splice(0);
    for (const fd of closing) {
      await sync(fd).finally(() => closeSync(fd));
    }
    if (this.#isSynced || this.#fd === undefined) return;
    this.#isSynced = true;
    await sync(this.#fd).catch((cause: unknown) => {
      this.#isSynced = false;
      throw cause;
    });
  }

  close(): void {
    this.#isClosed = true;
    for (const fd of this.#unsynced.splice(0)) closeSync(fd);
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}

function linesOf(bytes: Buffer, { segment, offset }: Position): Line[] {
  const lines: Line[] = [];
  let begin = 0;
  for (let end = bytes.indexOf(10); end !== -1; end = bytes.indexOf(10, begin)) {
    const text = bytes.toString("utf8", begin, end);
    begin = end + 1;
    lines.push({ text, end: { segment, offset: offset + begin } });
  }
  return lines;
}
