import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type PoolFacts,
  parallelStarts,
  refillDelayMs,
  retryAfterSeconds,
  retryDelayMs,
  startsWanted,
} from "#host/pool/refill";

const count = fc.integer({ min: 0, max: 200 });
const facts: fc.Arbitrary<PoolFacts> = fc
  .record({
    available: count,
    coming: count,
    waiting: count,
    min: count,
    target: count,
    leased: count,
    max: count,
    roomByMemory: count,
    others: count,
    startsMax: fc.integer({ min: 1, max: 8 }),
    isBusy: fc.boolean(),
  })
  .map(({ leased, others, ...rest }) => ({
    ...rest,
    total: rest.available + rest.coming + leased,
    inFlight: rest.coming + others,
  }));

const idle: PoolFacts = {
  available: 10,
  coming: 0,
  waiting: 0,
  min: 2,
  target: 10,
  total: 10,
  max: 80,
  roomByMemory: 99,
  inFlight: 0,
  startsMax: 4,
  isBusy: false,
};

test("a refill never passes the maximum, the memory or the starts at once", () => {
  fc.assert(
    fc.property(facts, (state) => {
      const starts = startsWanted(state);
      expect(starts).toBeGreaterThanOrEqual(0);
      if (starts > 0) {
        expect(state.total + starts).toBeLessThanOrEqual(state.max);
        expect(starts).toBeLessThanOrEqual(state.roomByMemory);
        expect(state.inFlight + starts).toBeLessThanOrEqual(state.startsMax);
      }
    }),
  );
});

test("a refill never makes more than its target and those who wait for one", () => {
  fc.assert(
    fc.property(facts, (state) => {
      const starts = startsWanted(state);
      if (starts > 0) {
        expect(state.available + state.coming + starts).toBeLessThanOrEqual(state.target + state.waiting);
      }
    }),
  );
});

test("refilling until nothing is wanted reaches the target when there is room", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 50 }), fc.boolean(), (target, isBusy) => {
      let available = 0;
      for (let round = 0; round < 100; round++) {
        const state = { ...idle, available, min: 0, target, isBusy, total: available, max: 1000 };
        const starts = startsWanted({ ...state, roomByMemory: 1000 });
        if (starts === 0) break;
        available += starts;
      }
      expect(available).toBe(target);
    }),
  );
});

test("what nobody waits for is made one at a time, faster the more is missing, and all at once when it is urgent", () => {
  expect(startsWanted({ ...idle, available: 9 })).toBe(1);
  expect(startsWanted({ ...idle, available: 5 })).toBe(2);
  expect(startsWanted({ ...idle, available: 2 })).toBe(3);
  expect(startsWanted({ ...idle, available: 1 })).toBe(4);
  expect(startsWanted({ ...idle, waiting: 3 })).toBe(3);
  expect(startsWanted({ ...idle, waiting: 30 })).toBe(4);
});

test("live sandboxes that work leave at most half of the starts to what nobody waits for", () => {
  expect(startsWanted({ ...idle, available: 2, isBusy: true })).toBe(2);
  fc.assert(
    fc.property(facts, (state) => {
      const starts = parallelStarts({ ...state, isBusy: true });
      if (state.waiting === 0) expect(starts).toBeLessThanOrEqual(Math.ceil(state.startsMax / 2));
      else expect(starts).toBe(state.startsMax);
      expect(starts).toBeLessThanOrEqual(parallelStarts({ ...state, isBusy: false }));
    }),
  );
});

test("a refill waits for a quiet moment, unless somebody waits, the pool is nearly empty, or it never gets quiet", () => {
  const justNow = { ...idle, available: 9, sinceHandOutMs: 0, postponedMs: 0 };
  expect(refillDelayMs(justNow)).toBe(200);
  expect(refillDelayMs({ ...justNow, waiting: 1 })).toBe(0);
  expect(refillDelayMs({ ...justNow, available: 1 })).toBe(0);
  expect(refillDelayMs({ ...justNow, available: 4 })).toBe(200);
  expect(refillDelayMs({ ...justNow, available: 4, sinceHandOutMs: 500 })).toBe(0);
  expect(refillDelayMs({ ...justNow, available: 4, postponedMs: 950 })).toBe(50);
  expect(refillDelayMs({ ...justNow, postponedMs: 2_000 })).toBe(0);
});

test("a burst that has emptied the pool and is at work is not disturbed, unless somebody waits or it never ends", () => {
  const atWork = { ...idle, available: 0, isBusy: true };
  expect(startsWanted({ ...atWork, isBusy: false })).toBe(4);
  expect(startsWanted(atWork)).toBe(2);
  expect(startsWanted({ ...atWork, waiting: 1 })).toBe(4);
  const justNow = { ...atWork, sinceHandOutMs: 0, postponedMs: 0 };
  expect(refillDelayMs({ ...justNow, isBusy: false })).toBe(0);
  expect(refillDelayMs(justNow)).toBe(200);
  expect(refillDelayMs({ ...justNow, waiting: 1 })).toBe(0);
  expect(refillDelayMs({ ...justNow, postponedMs: 1_000 })).toBe(0);
});

test("failed starts are tried again ever more slowly, up to half a minute", () => {
  const delays = [1, 2, 3, 4, 5, 6, 7, 100].map(retryDelayMs);
  expect(delays).toEqual([...delays].sort((a, b) => a - b));
  expect(delays.at(-1)).toBe(30_000);
});

test("who is refused is told to come back when those before them have been served, within a minute", () => {
  expect(retryAfterSeconds({ waiting: 15, refillPerSecond: 8, room: 20 })).toBe(2);
  expect(retryAfterSeconds({ waiting: 0, refillPerSecond: 8, room: 1 })).toBe(1);
  expect(retryAfterSeconds({ waiting: 99, refillPerSecond: 0, room: 1 })).toBe(60);
  expect(retryAfterSeconds({ waiting: 0, refillPerSecond: 8, room: 0 })).toBe(5);
});
