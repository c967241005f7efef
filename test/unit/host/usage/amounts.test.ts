import fc from "fast-check";
import { expect, test } from "vitest";
import type { Prices } from "#contract/plan";
import { costMicros, worstCase } from "#contract/price";
import { noQuantities, type Quantities, quantityNames } from "#contract/usage";
import {
  between,
  type Point,
  start,
  stopsBetween,
  usedBetween,
  usedUpTo,
  withinBudget,
  withinGrant,
} from "#host/usage/amounts";
import { verdictOn } from "#host/usage/budget";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const prices: Prices = {
  cpuHourMicros: 50_400,
  memoryGibHourMicros: 16_200,
  diskGibHourMicros: 200,
  egressGibMicros: 100_000,
  pausedGibHourMicros: 1_620,
};
const size = fc.record({
  cpu: fc.integer({ min: 5, max: 1280 }).map((twentieths) => twentieths / 20),
  memoryMiB: fc.integer({ min: 128, max: 1_048_576 }),
  diskMiB: fc.integer({ min: 16, max: 102_400 }),
});
const startedAtMs = fc.integer({ min: 0, max: 4_000_000_000_000 });
/** Steps of a life: milliseconds that pass, and which part of its one processor is used in them. */
const steps = fc.array(
  fc.record({
    ms: fc.integer({ min: 0, max: 3 * hourMs }),
    busy: fc.double({ min: 0, max: 1, noNaN: true }),
  }),
  { minLength: 1, maxLength: 30 },
);
const add = (a: Quantities, b: Quantities): Quantities => {
  const sum = { ...noQuantities };
  for (const name of quantityNames) sum[name] = a[name] + b[name];
  return sum;
};
function walk(taken: { ms: number; busy: number }[]): Point[] {
  let { elapsedMs, cpuMicros } = start;
  return taken.map(({ ms, busy }) => {
    elapsedMs += ms;
    cpuMicros += Math.floor(ms * 1000 * busy);
    return { elapsedMs, cpuMicros };
  });
}

test("however a life is cut into intervals, they add up to the whole of it, to the last unit", () => {
  fc.assert(
    fc.property(size, startedAtMs, steps, (of, atMs, taken) => {
      let from = start;
      let sum: Quantities = { ...noQuantities };
      for (const to of walk(taken)) {
        for (const stop of stopsBetween(atMs, from, to)) {
          sum = add(sum, usedBetween(of, from, stop));
          from = stop;
        }
      }
      expect(sum).toEqual(usedUpTo(of, from));
      expect(from).toEqual(walk(taken).at(-1));
    }),
  );
});

test("no interval crosses an hour of UTC, none overlaps and none is left out", () => {
  fc.assert(
    fc.property(startedAtMs, fc.integer({ min: 0, max: 2 * dayMs }), (atMs, ms) => {
      const to = { elapsedMs: ms, cpuMicros: ms * 1000 };
      let fromMs = 0;
      for (const { elapsedMs, cpuMicros } of stopsBetween(atMs, start, to)) {
        expect(elapsedMs).toBeGreaterThanOrEqual(fromMs);
        const [first, last] = [atMs + fromMs, Math.max(atMs + fromMs, atMs + elapsedMs - 1)];
        expect(Math.floor(first / hourMs)).toBe(Math.floor(last / hourMs));
        // Used evenly, it is shared out evenly.
        expect(Math.abs(cpuMicros - elapsedMs * 1000)).toBeLessThanOrEqual(1000);
        fromMs = elapsedMs;
      }
      expect(fromMs).toBe(ms);
    }),
  );
});

test("nobody pays for more than size times lifetime, whatever the clocks and counters say", () => {
  fc.assert(
    fc.property(
      size,
      fc.record({ elapsedMs: fc.integer({ min: 0, max: 9 * dayMs }), cpuMicros: fc.integer({ min: 0 }) }),
      fc.integer({ min: 10, max: 86_400 }),
      (of, point, lifetimeSeconds) => {
        const used = usedUpTo(of, withinGrant(of, point, lifetimeSeconds * 1000));
        const most = worstCase(of, lifetimeSeconds);
        for (const name of quantityNames) expect(used[name]).toBeLessThanOrEqual(most[name]);
      },
    ),
  );
});

test("what a late host counts is cut to what the cap pays for, and not by more than a millisecond's worth", () => {
  fc.assert(
    fc.property(size, fc.integer({ min: 1, max: 10_000_000 }), steps, (of, capMicros, taken) => {
      const budget = { capMicros, prices };
      const to = walk(taken).at(-1) ?? start;
      const cut = withinBudget(of, budget, start, to);
      expect(costMicros(usedUpTo(of, cut), prices)).toBeLessThanOrEqual(capMicros);
      const isWhole = costMicros(usedUpTo(of, to), prices) <= capMicros;
      if (isWhole) expect(cut).toEqual(to);
      // A millisecond further it would be past the cap.
      else
        expect(costMicros(usedUpTo(of, between(start, to, cut.elapsedMs + 1)), prices)).toBeGreaterThan(
          capMicros,
        );
    }),
  );
});

test("looked at every second, a sandbox never costs more than its cap, and its programs are told ten seconds ahead", () => {
  const busy = fc.array(fc.double({ min: 0.2, max: 1, noNaN: true }), { minLength: 1, maxLength: 20 });
  const life = fc.record({ of: size, busy, seconds: fc.integer({ min: 15, max: 60 }) });
  fc.assert(
    fc.property(life, fc.integer({ min: 900, max: 1100 }), ({ of, busy: pattern, seconds }, tickMs) => {
      const capMicros = Math.max(1, costMicros(worstCase(of, seconds), prices));
      const budget = { capMicros, prices };
      let point = start;
      let warnedAtMs: number | undefined;
      for (let tick = 0; ; tick++) {
        const verdict = verdictOn(of, budget, point);
        if (verdict === "warn") warnedAtMs ??= point.elapsedMs;
        // Until the last process is gone, another second of the worst.
        const isLast = verdict === "end";
        const share = isLast ? 1 : (pattern[tick % pattern.length] ?? 0);
        const ms = isLast ? 900 : tickMs;
        const cpuMicros = point.cpuMicros + Math.floor(of.cpu * 1000 * ms * share);
        point = { elapsedMs: point.elapsedMs + ms, cpuMicros };
        if (isLast) break;
      }
      expect(costMicros(usedUpTo(of, point), prices)).toBeLessThanOrEqual(capMicros);
      expect(point.elapsedMs - (warnedAtMs ?? 0)).toBeGreaterThan(9_000);
    }),
    { numRuns: 50 },
  );
});
