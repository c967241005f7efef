import type { Rate } from "#contract/rate";

/** Tokens that an isolate holds: taken from the buckets already, so that spending them asks nobody. */
export type Slice = {
  tokens: number;
  /** How many there were when it was last filled up. */
  size: number;
  filledAtMs: number;
  spent: number;
};

/** Of one second, and of a tenth of the bucket at most: what isolates hold is what a burst may have too much. */
const sliceMs = 1_000;
const sliceShare = 0.1;
/** An isolate that is asked now and then keeps a tenth of a slice this long, so that the next call waits for nobody. */
const reserveShare = 0.1;
const reserveMs = 60_000;
/** A rate is not read off a shorter time. */
const measuredMinMs = 100;

/** The most that an isolate may hold of buckets with these rates; a whole token at least. */
export function sliceMax(rates: readonly Rate[]): number {
  const most = rates.map(({ capacity, perSecond }) =>
    Math.min((perSecond * sliceMs) / 1000, capacity * sliceShare),
  );
  return Math.max(1, Math.floor(Math.min(...most)));
}

const reserveOf = (max: number) => Math.max(1, Math.floor(max * reserveShare));

/** What may still be spent: all of it for a second, the reserve for a minute. */
export function usable({ tokens, filledAtMs }: Slice, max: number, nowMs: number): number {
  const ageMs = nowMs - filledAtMs;
  if (ageMs < 0 || ageMs >= reserveMs) return 0;
  return ageMs < sliceMs ? tokens : Math.min(tokens, reserveOf(max));
}

/** How large it should be next: twice what a second takes at the pace of late, and the reserve to begin with. */
export function nextSize(slice: Slice | undefined, max: number, nowMs: number): number {
  const least = reserveOf(max);
  if (!slice) return least;
  const perMs = slice.spent / Math.max(measuredMinMs, nowMs - slice.filledAtMs);
  return Math.min(max, Math.max(least, Math.ceil(2 * perMs * sliceMs)));
}

/** Whether it should be filled up before it is empty or too old. */
export function isLow({ tokens, size, filledAtMs }: Slice, nowMs: number): boolean {
  return tokens <= size / 2 || nowMs - filledAtMs >= sliceMs / 2;
}
