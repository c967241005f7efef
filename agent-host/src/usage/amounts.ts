import { costMicros } from "#contract/price";
import { type Quantities, quantityNames, type SandboxBudget } from "#contract/usage";

export type Size = { cpu: number; memoryMiB: number; diskMiB: number };
/** How far a sandbox has come since its lease began: in time, and in processor time. Both only rise. */
export type Point = { elapsedMs: number; cpuMicros: number };

export const start: Point = { elapsedMs: 0, cpuMicros: 0 };
const hourMs = 3_600_000;

/**
 * All that was used up to a point. An interval is the difference of two of these, so what one of them rounds down the
 * next one has, and rounding never adds up.
 */
export function usedUpTo(size: Size, { elapsedMs, cpuMicros }: Point): Quantities {
  return {
    cpuMs: Math.floor(cpuMicros / 1000),
    memoryMiBSeconds: Math.floor((size.memoryMiB * elapsedMs) / 1000),
    diskMiBSeconds: Math.floor((size.diskMiB * elapsedMs) / 1000),
    egressKiB: 0,
    pausedMiBSeconds: 0,
  };
}

export function usedBetween(size: Size, from: Point, to: Point): Quantities {
  const used = usedUpTo(size, to);
  const before = usedUpTo(size, from);
  for (const name of quantityNames) used[name] -= before[name];
  return used;
}

/** Where the way from one point to another is at this time, if processor time was used evenly. */
export function between(from: Point, to: Point, elapsedMs: number): Point {
  const spanMs = to.elapsedMs - from.elapsedMs;
  if (spanMs <= 0 || elapsedMs >= to.elapsedMs) return to;
  const part = Math.max(0, elapsedMs - from.elapsedMs) / spanMs;
  const cpuMicros = from.cpuMicros + Math.floor((to.cpuMicros - from.cpuMicros) * part);
  return { elapsedMs: Math.max(from.elapsedMs, elapsedMs), cpuMicros };
}

/** The ends of the intervals that lead from one point to another: every full hour of UTC on the way, then the last. */
export function stopsBetween(startedAtMs: number, from: Point, to: Point): Point[] {
  const stops: Point[] = [];
  const first = Math.floor((startedAtMs + from.elapsedMs) / hourMs + 1) * hourMs - startedAtMs;
  for (let elapsedMs = first; elapsedMs < to.elapsedMs; elapsedMs += hourMs) {
    stops.push(between(from, to, elapsedMs));
  }
  return [...stops, to];
}

/** Whether a full hour of UTC lies on the way, so that an interval must be closed. */
export function crossesHour(startedAtMs: number, from: Point, elapsedMs: number): boolean {
  const hourOf = (ms: number) => Math.floor((startedAtMs + ms) / hourMs);
  return hourOf(from.elapsedMs) < hourOf(elapsedMs);
}

/** Nobody pays for more than what was granted: the time of the lease, and its processors for that time. */
export function withinGrant(size: Size, point: Point, grantedMs: number): Point {
  const elapsedMs = Math.max(0, Math.min(point.elapsedMs, grantedMs));
  const cpuMicros = Math.min(point.cpuMicros, Math.floor(size.cpu * 1000 * Math.max(0, grantedMs)));
  return { elapsedMs, cpuMicros };
}

/** The furthest point on the way that costs no more than the cap; a host that was late pays for the rest itself. */
export function withinBudget(size: Size, budget: SandboxBudget, from: Point, to: Point): Point {
  const costs = (point: Point) => costMicros(usedUpTo(size, point), budget.prices);
  if (costs(to) <= budget.capMicros) return to;
  let [good, bad] = [from.elapsedMs, to.elapsedMs];
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2);
    if (costs(between(from, to, middle)) <= budget.capMicros) good = middle;
    else bad = middle;
  }
  return good < to.elapsedMs ? between(from, to, good) : from;
}

/** What is on record already is never taken back. */
export function notBefore(from: Point, to: Point): Point {
  return {
    elapsedMs: Math.max(from.elapsedMs, to.elapsedMs),
    cpuMicros: Math.max(from.cpuMicros, to.cpuMicros),
  };
}
