import type { KeyId } from "#contract/ids";
import { limits } from "#contract/limits";
import { HostError } from "../errors.ts";
import type { Live } from "../sandboxes/registry.ts";

/** By whose right a connection is open: without a key it is nobody's, and lasts. */
export type Opener = {
  keyId: KeyId | null;
  /** Unix milliseconds, when that right ends by itself; `null` = never. */
  untilMs: number | null;
};
/** A connection to a port that somebody uses. */
export type OpenPort = {
  /** Bytes have passed, in whatever direction: neither it nor its sandbox is idle. */
  touch(): void;
  /** Its client is there, though nothing moves: it is not idle. */
  keep(): void;
  lastByteAtMs(): number;
  /** It has ended; the same as many times as one likes. */
  remove(): void;
};
/** Why a connection is cut that neither of its ends has closed. */
export type CutReason = "keyRefused" | "idle" | "stopping";
type Entry = Opener & { lastByteAtMs: number; close: (why: CutReason) => void };

/** What a heartbeat can name. */
const keysPerBeatMax = 1_000;

/** All connections to ports of a host: counted, cut when nothing moves on them, and when their key is refused. */
export class OpenPorts {
  readonly #entries = new Set<Entry>();
  readonly #now: () => number;
  readonly #max: number;

  constructor(now: () => number, max: number = limits.portConnectionsHostMax) {
    this.#now = now;
    this.#max = max;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** @throws HostError `too_many_connections` */
  add(live: Live, opener: Opener, close: Entry["close"]): OpenPort {
    if (this.#entries.size >= this.#max) throw tooManyConnections();
    const entry: Entry = { ...opener, lastByteAtMs: this.#now(), close };
    this.#entries.add(entry);
    return {
      touch: () => {
        entry.lastByteAtMs = this.#now();
        live.lastActiveAtMs = entry.lastByteAtMs;
      },
      keep: () => {
        entry.lastByteAtMs = this.#now();
      },
      lastByteAtMs: () => entry.lastByteAtMs,
      remove: () => void this.#entries.delete(entry),
    };
  }

  keys(): KeyId[] {
    const keys = new Set<KeyId>();
    for (const { keyId } of this.#entries) if (keyId) keys.add(keyId);
    return [...keys].slice(0, keysPerBeatMax);
  }

  closeOf(refused: readonly KeyId[]): void {
    this.#closeWhere("keyRefused", ({ keyId }) => keyId !== null && refused.includes(keyId));
  }

  /** What is open past its right, and what carries nothing for long: somebody has forgotten it. */
  closeIdle(): void {
    const nowMs = this.#now();
    this.#closeWhere("keyRefused", ({ untilMs }) => untilMs !== null && untilMs <= nowMs);
    this.#closeWhere("idle", ({ lastByteAtMs }) => nowMs - lastByteAtMs >= limits.portIdleMs);
  }

  closeAll(): void {
    this.#closeWhere("stopping", () => true);
  }

  #closeWhere(why: CutReason, claim: (entry: Entry) => boolean): void {
    for (const entry of [...this.#entries].filter(claim)) {
      this.#entries.delete(entry);
      entry.close(why);
    }
  }
}

export function tooManyConnections(cause?: unknown): HostError {
  const sentence = "Wait for a connection to a port to end, then try again.";
  return new HostError("too_many_connections", sentence, { cause });
}
