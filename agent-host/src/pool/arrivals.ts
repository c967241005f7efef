/** How often creates come: a moving average that forgets with time. */
export type Arrivals = { ratePerSecond: number; atMs: number };

/** After this time an arrival counts a third of what it did. */
const averagingMs = 15_000;

export function noArrivals(nowMs: number): Arrivals {
  return { ratePerSecond: 0, atMs: nowMs };
}

/** One more create. */
export function arrived(arrivals: Arrivals, nowMs: number): Arrivals {
  const ratePerSecond = rateAt(arrivals, nowMs) + 1_000 / averagingMs;
  return { ratePerSecond, atMs: Math.max(arrivals.atMs, nowMs) };
}

/** Creates per second as of now; a clock that steps back forgets nothing and makes nothing up. */
export function rateAt({ ratePerSecond, atMs }: Arrivals, nowMs: number): number {
  return ratePerSecond * Math.exp(-Math.max(0, nowMs - atMs) / averagingMs);
}
