import { isUtf8 } from "node:buffer";
import type { OutputEvent } from "#contract/exec";
import { limits } from "#contract/limits";

export type OutputKind = "stdout" | "stderr";
export type OutputText = Omit<OutputEvent, "seq">;
type Emit = (kind: OutputKind, text: OutputText) => void;

const { outputEventMaxBytes: maxBytes, outputEventMaxMs: maxMs } = limits;
const nothing = Buffer.alloc(0);

/**
 * Makes events of output: what comes after a pause goes out at once, what follows on its heels is joined up to a
 * size and an age, and no event ends inside a UTF-8 character.
 */
export class OutputEvents {
  readonly #encoding: OutputText["encoding"] | undefined;
  readonly #emit: Emit;
  readonly #open: Record<OutputKind, Buffer> = { stdout: nothing, stderr: nothing };
  #kind: OutputKind = "stdout";
  #chunks: Buffer[] = [];
  #bytes = 0;
  #emittedAtMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  /** @param encoding undefined = text where the bytes are UTF-8 without NUL, base64 where they are not */
  constructor(encoding: OutputText["encoding"] | undefined, emit: Emit) {
    this.#encoding = encoding;
    this.#emit = emit;
  }

  push(kind: OutputKind, bytes: Buffer): void {
    if (kind !== this.#kind) this.#emitAll();
    this.#kind = kind;
    this.#chunks.push(bytes);
    this.#bytes += bytes.length;
    const leftMs = this.#emittedAtMs + maxMs - performance.now();
    if (this.#bytes >= maxBytes || leftMs <= 0) this.#emitAll();
    else this.#timer ??= setTimeout(() => this.#emitAll(), leftMs);
  }

  /** Nothing more comes: what was begun goes out as it is. */
  end(): void {
    this.#emitAll();
    for (const kind of ["stdout", "stderr"] as const) {
      const rest = this.#open[kind];
      this.#open[kind] = nothing;
      if (rest.length > 0) this.#emit(kind, this.#text(rest));
    }
  }

  #emitAll(): void {
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
      const whole = this.#encoding === "base64" ? piece.length : piece.length - openCharacterBytes(piece);
      if (whole === 0) break;
      this.#emit(kind, this.#text(left.subarray(0, whole)));
      left = left.subarray(whole);
    }
    this.#open[kind] = Buffer.from(left);
  }

  #text(bytes: Buffer): OutputText {
    const encoding = this.#encoding ?? (isText(bytes) ? "utf8" : "base64");
    return { data: bytes.toString(encoding), encoding };
  }
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
