import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newTenantId } from "#contract/ids";
import type { Rate, RateClass } from "#contract/rate";
import { type Isolate, type LimiterObjects, limiterObjects } from "#test/support/limiter-objects";
import type { Draw } from "#worker/ratelimit/limiter";
import { sliceMax } from "#worker/ratelimit/slice";

const isolateCount = 6;
const slow: Rate = { capacity: 20, perSecond: 0.01 };
const drawOf = (rate: Rate, rateClass: RateClass): Draw => ({
  tenantId: newTenantId(),
  rate,
  rateClass,
  key: null,
  cost: 1,
  paid: 0,
});
const copies = (draw: Draw, count: number) => Array.from({ length: count }, () => draw);
const passed = (verdicts: { isAllowed: boolean }[]) => verdicts.filter(({ isAllowed }) => isAllowed).length;

let objects: LimiterObjects;
const isolates = () => objects.isolates;
const first = (): Isolate => {
  const [isolate] = isolates();
  if (!isolate) throw new Error("There is no isolate.");
  return isolate;
};
beforeAll(async () => {
  objects = await limiterObjects(isolateCount);
});
afterAll(() => objects?.stop());

/** Every isolate draws as fast as it can for a time. @returns how many passed, and in how many seconds */
async function flood(draw: Draw, durationMs: number): Promise<{ admitted: number; seconds: number }> {
  const startedMs = performance.now();
  let admitted = 0;
  const loop = async (isolate: Isolate) => {
    while (performance.now() - startedMs < durationMs) {
      const { verdicts } = await isolate.draw({ draws: copies(draw, 25), atOnce: true });
      admitted += passed(verdicts);
    }
  };
  await Promise.all(isolates().map(loop));
  return { admitted, seconds: (performance.now() - startedMs) / 1000 };
}

describe.each<RateClass>(["control", "data", "create"])("%s", (rateClass) => {
  test("A18: isolates that burst together let through the bucket and what came back, and hardly less", async () => {
    const rate = { capacity: 200, perSecond: 100 };
    const draw = drawOf(rate, rateClass);
    const cold = await flood(draw, 1_500);
    expect(cold.admitted).toBeLessThanOrEqual(rate.capacity + rate.perSecond * cold.seconds);
    expect(cold.admitted).toBeGreaterThan(0.8 * (rate.capacity + rate.perSecond * 1.5));
    // From now on isolates hold what was taken before: a slice each, at the most.
    await sleep(300);
    const warm = await flood(draw, 500);
    const slack = rateClass === "data" ? isolateCount * sliceMax([rate]) : 0;
    expect(warm.admitted).toBeLessThanOrEqual(rate.capacity + rate.perSecond * warm.seconds + slack);
  });
});

test("data is paid for without asking the object, but for now and then, and in the background", async () => {
  const draw = drawOf({ capacity: 100_000, perSecond: 50_000 }, "data");
  await first().draw({ draws: copies(draw, 100), atOnce: false });
  const { verdicts, hops } = await first().draw({ draws: copies(draw, 5_000), atOnce: false });
  expect(passed(verdicts)).toBe(5_000);
  expect(hops).toBeLessThan(60);
});

test("an isolate that is asked now and then finds a token in its reserve, and waits for nobody", async () => {
  const draw = drawOf({ capacity: 40, perSecond: 20 }, "data");
  await first().draw({ draws: [draw], atOnce: true });
  await first().draw({ draws: [draw], atOnce: true });
  await sleep(1_500);
  const after = await first().draw({ draws: [draw], atOnce: true });
  // One at the most, to fill up, which no answer waits for.
  expect([passed(after.verdicts), after.hops <= 1]).toEqual([1, true]);
});

test("records and creates ask the object each time, and refusals do not", async () => {
  for (const rateClass of ["control", "create"] as const) {
    const draw = drawOf(slow, rateClass);
    expect((await first().draw({ draws: copies(draw, 20), atOnce: false })).hops).toBe(20);
    const refused = await first().draw({ draws: copies(draw, 500), atOnce: false });
    expect([passed(refused.verdicts), refused.hops <= 5]).toEqual([0, true]);
  }
});

test("what isolates hold and do not use goes back", async () => {
  const draw = drawOf({ capacity: 1_000, perSecond: 100 }, "data");
  for (let i = 0; i < 5; i++) await first().draw({ draws: copies(draw, 90), atOnce: false });
  await sleep(1_200);
  await first().draw({ draws: [draw], atOnce: true });
  const { verdicts } = await first().draw({ draws: [draw], atOnce: true });
  // 450 were used, and a slice of 100 was held.
  expect(verdicts[0]?.remaining).toBeGreaterThan(600);
});

test("an object that was lost lets pass again what was spent in its last second, and no more", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sandgate-limiter-"));
  const draw = drawOf(slow, "create");
  const from = async (life: LimiterObjects, count: number) =>
    passed((await life.isolates[0]?.draw({ draws: copies(draw, count), atOnce: true }))?.verdicts ?? []);
  try {
    const before = await limiterObjects(1, folder);
    expect(await from(before, 15)).toBe(15);
    await sleep(1_500);
    expect(await from(before, 2)).toBe(2);
    await before.stop();
    const after = await limiterObjects(1, folder);
    const again = await from(after, 100);
    await after.stop();
    expect(again).toBeGreaterThanOrEqual(3);
    expect(again).toBeLessThanOrEqual(5);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
