import type { Rate } from "#contract/rate";
import { type Bucket, draw, refill } from "./bucket.ts";

/** A bucket by its name; the rate comes with each call, so that a changed plan holds at once. */
export type Wanted = { name: string; rate: Rate };
/**
 * `least` or nothing, of which `paid` were taken before; up to `most` where there is more. `returned` tokens of an earlier
 * grant were not used.
 */
export type Wish = { least: number; most: number; paid: number; returned: number };
export type Grant = {
  isAllowed: boolean;
  /** 0 where it is not allowed. */
  tokens: number;
  /** Which of the buckets that were wanted has the least left, or refuses for the longest time. */
  tightest: number;
  remaining: number;
  retryAfterMs: number;
};
type Entry = Bucket & { rate: Rate };

/** How many of the oldest entries each new one looks at: more than one, so that what is idle goes faster than it comes. */
const lookedAt = 2;

/** Many buckets, bounded: what is full again says nothing and is dropped. */
export class Buckets {
  readonly #entries = new Map<string, Entry>();
  readonly #entriesMax: number;

  constructor(entriesMax: number) {
    this.#entriesMax = entriesMax;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Takes the same tokens from all of these buckets, or from none. */
  take(wanted: readonly Wanted[], wish: Wish, nowMs: number): Grant {
    if (wish.returned > 0) this.#give(wanted, wish.returned, nowMs);
    const tokens = this.#grantable(wanted, wish, nowMs);
    const drawn = wanted.map(({ name, rate }) =>
      draw(this.#entries.get(name), rate, { cost: tokens, paid: wish.paid }, nowMs),
    );
    const isAllowed = drawn.every((each) => each.isAllowed);
    let tightest = 0;
    for (const [at, each] of drawn.entries()) {
      const other = drawn[tightest] ?? each;
      const isTighter = isAllowed ? each.remaining < other.remaining : each.retryAfterMs > other.retryAfterMs;
      if (isTighter) tightest = at;
    }
    if (isAllowed) {
      for (const [at, { name, rate }] of wanted.entries()) this.#set(name, rate, drawn[at]?.bucket, nowMs);
    }
    const { remaining = 0, retryAfterMs = 0 } = drawn[tightest] ?? {};
    return { isAllowed, tokens: isAllowed ? tokens : 0, tightest, remaining, retryAfterMs };
  }

  /** What is there of the most, and never less than the least, which may then be refused. */
  #grantable(wanted: readonly Wanted[], { least, most }: Wish, nowMs: number): number {
    if (most <= least) return least;
    const left = wanted.map(({ name, rate }) => refill(this.#entries.get(name), rate, nowMs).tokens);
    return Math.max(least, Math.min(most, Math.floor(Math.min(...left))));
  }

  #give(wanted: readonly Wanted[], tokens: number, nowMs: number): void {
    for (const { name, rate } of wanted) {
      const now = refill(this.#entries.get(name), rate, nowMs);
      this.#set(name, rate, { tokens: Math.min(rate.capacity, now.tokens + tokens), atMs: nowMs }, nowMs);
    }
  }

  #set(name: string, rate: Rate, bucket: Bucket | undefined, nowMs: number): void {
    if (!bucket) return;
    const known = this.#entries.get(name);
    if (known) {
      known.tokens = bucket.tokens;
      known.atMs = bucket.atMs;
      known.rate = rate;
      return;
    }
    this.#makeRoom(nowMs);
    this.#entries.set(name, { ...bucket, rate });
  }

  /** The oldest go if they are full, and to the end if not; past the bound the oldest goes in any case. */
  #makeRoom(nowMs: number): void {
    for (let i = 0; i < lookedAt; i++) {
      const [oldest] = this.#entries;
      if (!oldest) return;
      const [name, entry] = oldest;
      this.#entries.delete(name);
      if (!isFull(entry, nowMs)) this.#entries.set(name, entry);
    }
    if (this.#entries.size < this.#entriesMax) return;
    const [oldest] = this.#entries;
    if (oldest) this.#entries.delete(oldest[0]);
  }

  /** What is not full, to be kept over the end of the process. */
  snapshot(nowMs: number): Record<string, Entry> {
    return Object.fromEntries([...this.#entries].filter(([, entry]) => !isFull(entry, nowMs)));
  }

  restore(kept: Record<string, Entry>): void {
    for (const [name, entry] of Object.entries(kept)) this.#entries.set(name, { ...entry });
  }
}

function isFull({ rate, ...bucket }: Entry, nowMs: number): boolean {
  return refill(bucket, rate, nowMs).tokens >= rate.capacity;
}
