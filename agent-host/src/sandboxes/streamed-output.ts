import type { ExecRequest, ExitEvent } from "#contract/exec";
import { OutputEvents, type OutputKind, openBytesOf, outputText } from "../exec-streams/output-events.ts";
import type { EventRing } from "../exec-streams/ring.ts";
import type { ExecSink } from "../sandboxd/exec.ts";
import type { Recalled } from "../sandboxd/kept.ts";

type Wanted = Pick<ExecRequest, "outputEncoding" | "maxOutputBytes">;
type OfBoth<T> = Record<OutputKind, T>;

/** Where the output of a command begins that was begun under a former host. */
export type OutputStart = {
  /** Bytes of each that came before. */
  bytes: OfBoth<number>;
  /** Of those, what was held back. */
  open: OfBoth<Buffer>;
  /** The number of the last of those that were told. */
  seq: number;
};

const fromTheStart: OutputStart = {
  bytes: { stdout: 0, stderr: 0 },
  open: { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) },
  seq: 0,
};
const maxBytesOf = ({ maxOutputBytes }: Wanted) => maxOutputBytes ?? Number.POSITIVE_INFINITY;

/** What the host that came before had told of output that is gone. */
export function outputStart({ offsets, tails }: Recalled, wanted: Wanted): OutputStart {
  // Of what was cut nothing is held back.
  const openOf = (kind: OutputKind) =>
    offsets[kind] > maxBytesOf(wanted) ? Buffer.alloc(0) : openBytesOf(tails[kind], wanted.outputEncoding);
  const open = { stdout: openOf("stdout"), stderr: openOf("stderr") };
  const seq = offsets.stdout + offsets.stderr - open.stdout.length - open.stderr.length;
  return { bytes: offsets, open, seq };
}

/** Output on its way into the ring: cut where that was asked for, held back while the reader is behind. */
export class StreamedOutput {
  readonly #ring: EventRing;
  readonly #events: OutputEvents;
  readonly #maxBytes: number;
  readonly #bytes: OfBoth<number>;
  #turn: Promise<void> = Promise.resolve();
  #waiting = 0;
  heardAtMs = 0;

  constructor(ring: EventRing, wanted: Wanted, start = fromTheStart) {
    this.#ring = ring;
    this.#maxBytes = maxBytesOf(wanted);
    this.#bytes = { ...start.bytes };
    const textOf = (bytes: Buffer) => outputText(bytes, wanted.outputEncoding);
    const emit = (kind: OutputKind, bytes: Buffer) => ring.appendOutput(kind, bytes, textOf);
    this.#events = new OutputEvents(wanted.outputEncoding, emit, start.open);
  }

  get isHeldBack(): boolean {
    return this.#waiting > 0;
  }

  /** The promise is what keeps the program from printing more. */
  readonly take: ExecSink["onOutput"] = (kind, bytes) => {
    this.heardAtMs = performance.now();
    const kept = bytes.subarray(0, Math.max(0, this.#maxBytes - this.#bytes[kind]));
    const cutBytes = bytes.length - kept.length;
    this.#bytes[kind] += bytes.length;
    // What is cut takes no room.
    if (this.#waiting === 0 && (kept.length === 0 || this.#ring.hasRoom))
      return this.#put(kind, kept, cutBytes);
    this.#waiting++;
    this.#turn = this.#turn.then(async () => {
      if (kept.length > 0) await this.#ring.room();
      this.#waiting--;
      this.#put(kind, kept, cutBytes);
    });
    return this.#turn;
  };

  #put(kind: OutputKind, kept: Buffer, cutBytes: number): void {
    if (kept.length > 0) this.#events.push(kind, kept);
    if (cutBytes === 0) return;
    this.#events.close(kind);
    this.#ring.skip(cutBytes);
  }

  /** Everything that was taken is in the ring, but for characters that have only begun. */
  flush(): void {
    this.#events.flush();
  }

  /** Nothing more comes. @returns what was cut */
  finish(): ExitEvent["truncated"] {
    this.#events.end();
    return {
      stdout: this.#bytes.stdout > this.#maxBytes,
      stderr: this.#bytes.stderr > this.#maxBytes,
    };
  }
}
