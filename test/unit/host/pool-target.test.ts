import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { arrived, noArrivals, rateAt } from "#host/pool/arrivals";
import { endsWanted } from "#host/pool/shrink";
import { type TargetFacts, targetOf } from "#host/pool/target";

const count = fc.integer({ min: 0, max: 200 });
const rate = fc.oneof(
  fc.double({ min: 0, max: 20, noNaN: true }),
  fc.double({ min: 0, max: 1_000, noNaN: true }),
);
const facts: fc.Arbitrary<TargetFacts> = fc.record({
  min: count,
  target: count,
  max: fc.integer({ min: 1, max: 500 }),
  ceiling: fc.oneof(count, fc.constant(Number.POSITIVE_INFINITY)),
  ratePerSecond: rate,
  refillPerSecond: fc.oneof(fc.constant(10), fc.double({ min: 0.01, max: 100, noNaN: true })),
  lookAheadSeconds: fc.integer({ min: 0, max: 600 }),
  isQuiet: fc.boolean(),
});
const calm: TargetFacts = {
  min: 2,
  target: 10,
  max: 80,
  ceiling: Number.POSITIVE_INFINITY,
  ratePerSecond: 0,
  refillPerSecond: 8,
  lookAheadSeconds: 30,
  isQuiet: false,
};

describe("the target", () => {
  test("is a whole number between the minimum and the maximum, and never above the cost ceiling", () => {
    fc.assert(
      fc.property(facts, (state) => {
        const target = targetOf(state);
        expect(Number.isInteger(target)).toBe(true);
        expect(target).toBeGreaterThanOrEqual(Math.min(state.min, state.max, state.ceiling));
        expect(target).toBeLessThanOrEqual(Math.min(state.max, state.ceiling));
      }),
    );
  });

  test("never falls when creates come faster", () => {
    fc.assert(
      fc.property(facts, rate, (state, more) => {
        const faster = { ...state, ratePerSecond: state.ratePerSecond + more };
        expect(targetOf(faster)).toBeGreaterThanOrEqual(targetOf(state));
      }),
    );
  });

  test("is what is set while nothing comes, and the minimum once it is quiet", () => {
    fc.assert(
      fc.property(facts, (state) => {
        const bound = Math.min(state.max, state.ceiling);
        const still = { ...state, ratePerSecond: 0 };
        expect(targetOf({ ...still, isQuiet: false })).toBe(
          Math.min(Math.max(state.min, state.target), bound),
        );
        expect(targetOf({ ...still, isQuiet: true })).toBe(Math.min(state.min, bound));
      }),
    );
  });

  test("foresees what will come while it is refilled, up to the bound", () => {
    expect(targetOf({ ...calm, ratePerSecond: 0.5 })).toBe(10);
    expect(targetOf({ ...calm, ratePerSecond: 6 })).toBe(30);
    expect(targetOf({ ...calm, ratePerSecond: 20, lookAheadSeconds: 3 })).toBe(60);
    expect(targetOf({ ...calm, ratePerSecond: 7.9, lookAheadSeconds: 3 })).toBe(24);
    expect(targetOf({ ...calm, ratePerSecond: 20 })).toBe(80);
    expect(targetOf({ ...calm, ratePerSecond: 20, ceiling: 32 })).toBe(32);
  });

  test("stays as it is set when nothing is to be foreseen", () => {
    fc.assert(
      fc.property(facts, rate, (state, other) => {
        const blind = { ...state, lookAheadSeconds: 0 };
        expect(targetOf({ ...blind, ratePerSecond: other })).toBe(targetOf(blind));
      }),
    );
  });
});

describe("the arrival rate", () => {
  const times = fc.array(fc.integer({ min: -10_000, max: 60_000 }), { maxLength: 200 });

  test("is a number that is never below zero, whatever the clock does, and fades to nothing", () => {
    fc.assert(
      fc.property(times, (steps) => {
        let nowMs = 1_000_000;
        let arrivals = noArrivals(nowMs);
        let latestMs = nowMs;
        for (const step of steps) {
          nowMs += step;
          latestMs = Math.max(latestMs, nowMs);
          arrivals = arrived(arrivals, nowMs);
          expect(Number.isFinite(arrivals.ratePerSecond)).toBe(true);
          expect(rateAt(arrivals, nowMs)).toBeGreaterThan(0);
        }
        expect(rateAt(arrivals, latestMs + 600_000)).toBeLessThan(1e-6);
      }),
    );
  });

  test("comes to what really comes when it is steady", () => {
    let arrivals = noArrivals(0);
    for (let nowMs = 0; nowMs <= 120_000; nowMs += 250) arrivals = arrived(arrivals, nowMs);
    expect(rateAt(arrivals, 120_000)).toBeCloseTo(4, 0);
  });

  test("only falls while nothing comes", () => {
    const arrivals = arrived(noArrivals(0), 0);
    const rates = [0, 1_000, 5_000, 60_000].map((nowMs) => rateAt(arrivals, nowMs));
    expect(rates).toEqual([...rates].sort((a, b) => b - a));
    expect(rateAt(arrivals, -5_000)).toBe(rates[0]);
  });
});

describe("a pool shrinks", () => {
  const much = { available: 12, waiting: 0, target: 4, isQuiet: false, surplusMs: 0, quietMs: 300_000 };

  test("when it is quiet or has had too many for long, a few at a time, and not below its target", () => {
    expect(endsWanted(much)).toBe(0);
    expect(endsWanted({ ...much, surplusMs: 300_000 })).toBe(2);
    expect(endsWanted({ ...much, isQuiet: true })).toBe(2);
    expect(endsWanted({ ...much, isQuiet: true, available: 5 })).toBe(1);
    expect(endsWanted({ ...much, isQuiet: true, available: 4 })).toBe(0);
  });

  test("never while somebody waits", () => {
    expect(endsWanted({ ...much, isQuiet: true, waiting: 1 })).toBe(0);
  });
});
