import fc from "fast-check";
import { expect, test } from "vitest";
import type { Rate } from "#contract/rate";
import { type Bucket, draw } from "#worker/ratelimit/bucket";

const anyRate: fc.Arbitrary<Rate> = fc.record({
  capacity: fc.integer({ min: 1, max: 1_000 }),
  perSecond: fc.double({ min: 0.01, max: 5_000, noNaN: true }),
});
/** Eighths of a millisecond are exact in binary, so that a model's time is the bucket's. */
const anyStepMs = fc.integer({ min: 0, max: 20_000 }).map((eighths) => eighths / 8);
const anyAsk = fc.record({ stepMs: anyStepMs, cost: fc.integer({ min: 1, max: 1_500 }) });
const someAsks = fc.array(anyAsk, { minLength: 1, maxLength: 200 });
const startMs = 1_900_000_000_000;

/** Lets `asks` draw one after the other. @returns when each came, and what it took */
function drawn(rate: Rate, asks: { stepMs: number; cost: number }[]) {
  let bucket: Bucket | undefined;
  let nowMs = startMs;
  return asks.map(({ stepMs, cost }) => {
    nowMs += stepMs;
    const answer = draw(bucket, rate, { cost }, nowMs);
    bucket = answer.bucket;
    return { ...answer, atMs: nowMs, cost, took: answer.isAllowed ? Math.min(cost, rate.capacity) : 0 };
  });
}

test("in every window there passes no more than the capacity and what came back in it", () => {
  fc.assert(
    fc.property(anyRate, someAsks, (rate, asks) => {
      const answers = drawn(rate, asks);
      for (let from = 0; from < answers.length; from++) {
        let took = 0;
        for (let to = from; to < answers.length; to++) {
          took += answers[to]?.took ?? 0;
          const windowMs = (answers[to]?.atMs ?? 0) - (answers[from]?.atMs ?? 0);
          expect(took).toBeLessThanOrEqual(rate.capacity + (windowMs / 1000) * rate.perSecond + 1e-3);
        }
      }
    }),
    { numRuns: 200 },
  );
});

test("it lets pass what a bucket that is filled a little at a time lets pass, and is never below zero", () => {
  fc.assert(
    fc.property(anyRate, someAsks, (rate, asks) => {
      let tokens = rate.capacity;
      let lastMs = startMs;
      for (const { atMs, cost, isAllowed, remaining, bucket } of drawn(rate, asks)) {
        tokens = Math.min(rate.capacity, tokens + ((atMs - lastMs) / 1000) * rate.perSecond);
        lastMs = atMs;
        const needed = Math.min(cost, rate.capacity);
        // Where the two differ by less than a rounding, either answer is right.
        if (Math.abs(tokens - needed) > 1e-3) expect(isAllowed).toBe(tokens >= needed);
        if (isAllowed) tokens -= needed;
        expect(bucket.tokens).toBeGreaterThanOrEqual(0);
        expect(remaining).toBeLessThanOrEqual(rate.capacity);
        expect(bucket.tokens).toBeCloseTo(Math.max(0, tokens), 2);
      }
    }),
  );
});

test("who waits as long as it says passes, however much is asked, and a millisecond earlier does not", () => {
  fc.assert(
    fc.property(anyRate, someAsks, fc.integer({ min: 1, max: 5_000 }), (rate, asks, cost) => {
      const last = drawn(rate, asks).at(-1);
      const atMs = last?.atMs ?? 0;
      const { isAllowed, retryAfterMs } = draw(last?.bucket, rate, { cost }, atMs);
      expect(retryAfterMs > 0).toBe(!isAllowed);
      if (isAllowed) return;
      expect(draw(last?.bucket, rate, { cost }, atMs + retryAfterMs).isAllowed).toBe(true);
      if (retryAfterMs > 1)
        expect(draw(last?.bucket, rate, { cost }, atMs + retryAfterMs - 1.125).isAllowed).toBe(false);
    }),
  );
});

test("a clock that goes back adds nothing, and nobody waits until it has caught up", () => {
  const rate = { capacity: 10, perSecond: 10 };
  const empty = draw(undefined, rate, { cost: 10 }, startMs).bucket;
  const back = draw(empty, rate, { cost: 1 }, startMs - 3_600_000);
  expect(back).toMatchObject({ isAllowed: false, remaining: 0, retryAfterMs: 100 });
  expect(draw(back.bucket, rate, { cost: 1 }, startMs - 3_600_000 + 100).isAllowed).toBe(true);
});

test("however the clock jumps, only its steps forward add", () => {
  const anyJump = fc.record({ stepMs: fc.integer({ min: -5_000, max: 5_000 }), cost: fc.constant(1) });
  fc.assert(
    fc.property(anyRate, fc.array(anyJump, { minLength: 1, maxLength: 100 }), (rate, asks) => {
      const took = drawn(rate, asks).reduce((sum, answer) => sum + answer.took, 0);
      const forwardMs = asks.reduce((sum, { stepMs }) => sum + Math.max(0, stepMs), 0);
      expect(took).toBeLessThanOrEqual(rate.capacity + (forwardMs / 1000) * rate.perSecond + 1e-3);
    }),
  );
});

test("a limit that was lowered holds for what is left of a bucket too", () => {
  const before = draw(undefined, { capacity: 1_000, perSecond: 1 }, { cost: 1 }, startMs).bucket;
  const after = draw(before, { capacity: 10, perSecond: 1 }, { cost: 1 }, startMs);
  expect(after.remaining).toBe(9);
});

test("the rest of a cost is taken on top of what was paid, and the whole bucket is enough for any", () => {
  const rate = { capacity: 25, perSecond: 5 };
  const first = draw(undefined, rate, { cost: 1 }, startMs);
  const rest = draw(first.bucket, rate, { cost: 100, paid: 1 }, startMs);
  expect(rest).toMatchObject({ isAllowed: true, remaining: 0 });
  const again = draw(rest.bucket, rate, { cost: 1 }, startMs + 400);
  const refused = draw(again.bucket, rate, { cost: 3, paid: 1 }, startMs + 400);
  expect(refused).toMatchObject({ isAllowed: false, remaining: 1, retryAfterMs: 400 });
  const next = draw(refused.bucket, rate, { cost: 1 }, startMs + 800);
  expect(draw(next.bucket, rate, { cost: 3, paid: 1 }, startMs + 800).isAllowed).toBe(true);
});
