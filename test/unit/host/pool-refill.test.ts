import fc from "fast-check";
import { expect, test } from "vitest";
import { type PoolFacts, retryDelayMs, startsInFlightMax, startsWanted } from "#host/pool/refill";

const count = fc.integer({ min: 0, max: 200 });
const facts: fc.Arbitrary<PoolFacts> = fc
  .record({
    available: count,
    starting: count,
    waiting: count,
    min: count,
    target: count,
    leased: count,
    max: count,
    roomByMemory: count,
    others: count,
  })
  .map(({ leased, others, ...rest }) => ({
    ...rest,
    total: rest.available + rest.starting + leased + others,
    inFlight: rest.starting + others,
  }));

test("a refill never passes the host's maximum, its memory or the starts at once", () => {
  fc.assert(
    fc.property(facts, (state) => {
      const starts = startsWanted(state);
      expect(starts).toBeGreaterThanOrEqual(0);
      if (starts > 0) {
        expect(state.total + starts).toBeLessThanOrEqual(state.max);
        expect(starts).toBeLessThanOrEqual(state.roomByMemory);
        expect(state.inFlight + starts).toBeLessThanOrEqual(startsInFlightMax);
      }
    }),
  );
});

test("a refill never makes more than its target and those who wait for one", () => {
  fc.assert(
    fc.property(facts, (state) => {
      const starts = startsWanted(state);
      if (starts > 0) {
        expect(state.available + state.starting + starts).toBeLessThanOrEqual(state.target + state.waiting);
      }
    }),
  );
});

test("refilling until nothing is wanted reaches the target when there is room", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 50 }), (target) => {
      let available = 0;
      for (let round = 0; round < 100; round++) {
        const starts = startsWanted({
          available,
          starting: 0,
          waiting: 0,
          min: 0,
          target,
          total: available,
          max: 1000,
          roomByMemory: 1000,
          inFlight: 0,
        });
        if (starts === 0) break;
        available += starts;
      }
      expect(available).toBe(target);
    }),
  );
});

test("what nobody waits for is made one at a time, what is waited for is not", () => {
  const idle = {
    available: 2,
    starting: 0,
    waiting: 0,
    min: 2,
    target: 10,
    total: 2,
    max: 80,
    roomByMemory: 99,
    inFlight: 0,
  };
  expect(startsWanted(idle)).toBe(1);
  expect(startsWanted({ ...idle, waiting: 3 })).toBe(startsInFlightMax);
  expect(startsWanted({ ...idle, available: 1 })).toBe(startsInFlightMax);
});

test("failed starts are tried again ever more slowly, up to half a minute", () => {
  const delays = [1, 2, 3, 4, 5, 6, 7, 100].map(retryDelayMs);
  expect(delays).toEqual([...delays].sort((a, b) => a - b));
  expect(delays.at(-1)).toBe(30_000);
});
