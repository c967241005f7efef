import { isUtf8 } from "node:buffer";
import type { OutputEvent } from "#contract/exec";
import { limits } from "#contract/limits";

export type OutputKind = "stdout" | "stderr";
export type OutputText = Omit<OutputEvent, "seq">;
type Emit = (kind: OutputKind, bytes: Buffer) => void;
/** Bytes of each stream that are held back, since a character begins with them. */
type OpenCharacters = Record<OutputKind, Buffer>;

const { outputEventMaxBytes: maxBytes, outputEventMaxMs: maxMs } = limits;
const nothing = Buffer.alloc(0);

/**
 * Makes events of output: what comes after a pause goes out at once, what follows on its heels is joined up to a
 * size and an age, and no event ends inside a UTF-8 character. The order in which bytes go out depends on the order in
 * which they came, and not on when they came or how they were cut.
 */
export class OutputEvents {
  readonly #encoding: OutputText["encoding"] | undefined;
  readonly #emit: Emit;
  readonly #open: OpenCharacters;
  #kind: OutputKind = "stdout";
  #chunks: Buffer[] = [];
  #bytes = 0;
  #emittedAtMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  /** @param encoding undefined = text where the bytes are UTF-8 without NUL, base64 where they are not */
  constructor(
    encoding: OutputText["encoding"] | undefined,
    emit: Emit,
    open: OpenCharacters = { stdout: nothing, stderr: nothing },
  ) {
    this.#encoding = encoding;
    this.#emit = emit;
    this.#open = { ...open };
  }

  push(kind: OutputKind, bytes: Buffer): void {
    if (kind !== this.#kind) this.flush();
    this.#kind = kind;
    this.#chunks.push(bytes);
    this.#bytes += bytes.length;
    const leftMs = this.#emittedAtMs + maxMs - performance.now();
    if (this.#bytes >= maxBytes || leftMs <= 0) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), leftMs);
  }

  /** Nothing more comes: what was begun goes out as it is. */
  end(): void {
    for (const kind of ["stdout", "stderr"] as const) this.close(kind);
  }

  /** The same of one stream. */
  close(kind: OutputKind): void {
    this.flush();
    const rest = this.#open[kind];
    this.#open[kind] = nothing;
    if (rest.length > 0) this.#emit(kind, rest);
  }

  /** Nothing waits for more, but for the rest of a character. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#bytes === 0) return;
    const kind = this.#kind;
    let left = Buffer.concat([this.#open[kind], ...this.#chunks]);
    this.#chunks = [];
    this.#bytes = 0;
    this.#emittedAtMs = performance.now();
    while (left.length > 0) {
      const piece = left.subarray(0, maxBytes);
      const whole = piece.length - openBytesOf(piece, this.#encoding).length;
      if (whole === 0) break;
      this.#emit(kind, left.subarray(0, whole));
      left = left.subarray(whole);
    }
    this.#open[kind] = Buffer.from(left);
  }
}

/** Bytes as an event tells them. */
export function outputText(bytes: Buffer, wanted: OutputText["encoding"] | undefined): OutputText {
  const encoding = wanted ?? (isText(bytes) ? "utf8" : "base64");
  return { data: bytes.toString(encoding), encoding };
}

/** The end of some bytes that waits for the rest of its character; base64 knows no characters. */
export function openBytesOf(bytes: Buffer, encoding: OutputText["encoding"] | undefined): Buffer {
  return encoding === "base64" ? nothing : bytes.subarray(bytes.length - openCharacterBytes(bytes));
}

/** NUL is UTF-8 too, but no text has it, and JSON would make six bytes of each. */
const isText = (bytes: Buffer) => isUtf8(bytes) && !bytes.includes(0);

/** How many bytes at the end begin a character whose rest is still to come: 0 to 3. */
function openCharacterBytes(bytes: Buffer): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    const isContinuation = (byte & 0xc0) === 0x80;
    if (!isContinuation) return characterBytes(byte) > back ? back : 0;
  }
  return 0;
}

function characterBytes(first: number): number {
  if (first >= 0xf8) return 1; // begins nothing
  if (first >= 0xf0) return 4;
  if (first >= 0xe0) return 3;
  return first >= 0xc0 ? 2 : 1;
}
