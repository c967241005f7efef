import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { newTenantId, type TenantId } from "#contract/ids";
import type { RateClass } from "#contract/rate";
import { AppError } from "#worker/errors";
import { Buckets } from "#worker/ratelimit/buckets";
import { edgeLimiter, type LimiterObject } from "#worker/ratelimit/edge";
import type { Draw } from "#worker/ratelimit/limiter";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const rate = { capacity: 100, perSecond: 50 };
const drawOf = (rateClass: RateClass, tenantId: TenantId): Draw => ({
  tenantId,
  rateClass,
  rate,
  key: null,
  cost: 1,
  paid: 0,
});

/** An isolate over an object that answers as it is told to. */
function isolate(take: LimiterObject["take"]) {
  const tenantId = newTenantId();
  const asked = { count: 0 };
  const objectOf = (): LimiterObject => ({
    take: (...args) => {
      asked.count++;
      return take(...args);
    },
  });
  const limiter = edgeLimiter({ objectOf, now: () => Date.now() });
  const ctx = { background: (_name: string, work: Promise<unknown>) => void work.catch(() => undefined) };
  const ask = async (rateClass: RateClass) => limiter.take(ctx, drawOf(rateClass, tenantId));
  return { ask, asked };
}
const never: LimiterObject["take"] = () => new Promise(() => undefined);
const failing: LimiterObject["take"] = () => Promise.reject(new Error("the object was reset"));
const answering = (): LimiterObject["take"] => {
  const buckets = new Buckets(10);
  return async (wanted, wish) => buckets.take(wanted, wish, Date.now());
};

test.each([
  ["does not answer", never],
  ["fails", failing],
])("while the object %s nothing is made, and that can be tried again", async (_what, take) => {
  const { ask } = isolate(take);
  const refused = ask("create").catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await refused).toMatchObject({ code: "unavailable" });
  expect(await refused).toBeInstanceOf(AppError);
});

test.each(["control", "data"] as const)(
  "while the object does not answer, %s goes on by a slice a second in each isolate",
  async (rateClass) => {
    const { ask, asked } = isolate(never);
    const first = ask(rateClass);
    await vi.advanceTimersByTimeAsync(1_000);
    expect((await first).isAllowed).toBe(true);
    let passed = 1;
    while ((await ask(rateClass)).isAllowed) passed++;
    expect(passed).toBe(10);
    // Nobody waited, since nobody was asked.
    expect(asked.count).toBe(1);
    await vi.advanceTimersByTimeAsync(1_000);
    expect((await ask(rateClass)).isAllowed).toBe(true);
  },
);

test("an object that was silent is asked again after five seconds, by one, and its answers hold again", async () => {
  let take = never;
  const answer = answering();
  const { ask, asked } = isolate((...args) => take(...args));
  void ask("control");
  await vi.advanceTimersByTimeAsync(1_000);
  take = answer;
  await ask("control");
  expect(asked.count).toBe(1);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(await ask("control")).toMatchObject({ isAllowed: true, remaining: 99 });
  expect(asked.count).toBe(2);
  expect((await ask("create")).isAllowed).toBe(true);
});

test("what is held too long is not spent but given back, save a token for the next call", async () => {
  const { ask, asked } = isolate(answering());
  for (let i = 0; i < 20; i++) await ask("data");
  await vi.advanceTimersByTimeAsync(1_001);
  const before = asked.count;
  await ask("data");
  expect(asked.count - before).toBeLessThanOrEqual(1);
  await vi.advanceTimersByTimeAsync(60_001);
  // The clock of the bucket has filled it meanwhile; what came back made it no fuller.
  expect((await ask("data")).remaining).toBeLessThan(100);
  expect(asked.count).toBeGreaterThan(before);
});

test("a refusal is believed for a second at the most, since limits change", async () => {
  let capacity = 0;
  const { ask, asked } = isolate(async () => ({
    isAllowed: capacity > 0,
    tokens: capacity,
    tightest: 0,
    remaining: capacity,
    retryAfterMs: capacity > 0 ? 0 : 60_000,
  }));
  expect(await ask("create")).toMatchObject({ isAllowed: false, retryAfterMs: 60_000 });
  capacity = 5;
  await vi.advanceTimersByTimeAsync(999);
  expect(await ask("create")).toMatchObject({ isAllowed: false, retryAfterMs: 59_001 });
  expect(asked.count).toBe(1);
  await vi.advanceTimersByTimeAsync(1);
  expect((await ask("create")).isAllowed).toBe(true);
});
