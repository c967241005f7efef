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
type Entry = Opener & { tenantId: string; lastByteAtMs: number; close: (why: CutReason) => void };

/**
 * All connections to ports of a host: counted, in all and of each tenant, cut when nothing moves on them, and when their
 * key is refused.
 */
export class OpenPorts {
  readonly #entries = new Set<Entry>();
  readonly #countOf = new Map<string, number>();
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
    const { tenantId } = live.lease;
    const count = this.#countOf.get(tenantId) ?? 0;
    if (this.#entries.size >= this.#max || count >= limits.portConnectionsTenantMax)
      throw tooManyConnections();
    const entry: Entry = { ...opener, tenantId, lastByteAtMs: this.#now(), close };
    this.#entries.add(entry);
    this.#countOf.set(tenantId, count + 1);
    return {
      touch: () => {
        entry.lastByteAtMs = this.#now();
        live.lastActiveAtMs = entry.lastByteAtMs;
      },
      keep: () => {
        entry.lastByteAtMs = this.#now();
      },
      lastByteAtMs: () => entry.lastByteAtMs,
      remove: () => this.#remove(entry),
    };
  }

  /** Every key that holds a connection open: no more than there may be connections. */
  keys(): KeyId[] {
    const keys = new Set<KeyId>();
    for (const { keyId } of this.#entries) if (keyId) keys.add(keyId);
    return [...keys];
  }

  closeOf(refused: readonly KeyId[]): void {
    const keys = new Set(refused);
    this.#closeWhere("keyRefused", ({ keyId }) => keyId !== null && keys.has(keyId));
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
      this.#remove(entry);
      entry.close(why);
    }
  }

  #remove(entry: Entry): void {
    if (!this.#entries.delete(entry)) return;
    const left = (this.#countOf.get(entry.tenantId) ?? 0) - 1;
    if (left > 0) this.#countOf.set(entry.tenantId, left);
    else this.#countOf.delete(entry.tenantId);
  }
}

export function tooManyConnections(cause?: unknown): HostError {
  const sentence = "Wait for a connection to a port to end, then try again.";
  return new HostError("too_many_connections", sentence, { cause });
}
