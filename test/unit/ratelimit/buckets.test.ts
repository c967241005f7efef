import { expect, test } from "vitest";
import { Buckets } from "#worker/ratelimit/buckets";

const rate = { capacity: 10, perSecond: 10 };
const tenant = { name: "tenant", rate };
const key = { name: "key", rate: { capacity: 3, perSecond: 1 } };
const exactly = (cost: number) => ({ least: cost, most: cost, paid: 0, returned: 0 });

test("two buckets give together or not at all, and the answer names the one that refuses the longest", () => {
  const buckets = new Buckets(100);
  for (const left of [2, 1, 0])
    expect(buckets.take([tenant, key], exactly(1), 0)).toMatchObject({
      isAllowed: true,
      tightest: 1,
      remaining: left,
    });
  expect(buckets.take([tenant, key], exactly(1), 0)).toMatchObject({
    isAllowed: false,
    tokens: 0,
    tightest: 1,
    retryAfterMs: 1_000,
  });
  // The tenant's has lost what was given, and nothing to the refusal.
  expect(buckets.take([tenant], exactly(1), 0).remaining).toBe(6);
  buckets.take([tenant], exactly(6), 0);
  expect(buckets.take([tenant, key], exactly(1), 1_000)).toMatchObject({ isAllowed: true });
  buckets.take([tenant], exactly(9), 1_000);
  expect(buckets.take([tenant, { ...key, rate }], exactly(1), 1_000)).toMatchObject({
    isAllowed: false,
    tightest: 0,
  });
});

test("a grant is as much as there is, up to the most, whole tokens, and never less than the least", () => {
  const buckets = new Buckets(100);
  expect(buckets.take([tenant], { ...exactly(1), most: 4 }, 0).tokens).toBe(4);
  expect(buckets.take([tenant], { ...exactly(1), most: 40 }, 50).tokens).toBe(6);
  expect(buckets.take([tenant], { ...exactly(1), most: 40 }, 60)).toMatchObject({
    isAllowed: false,
    tokens: 0,
  });
});

test("what was not used comes back, and makes nobody's bucket fuller than full", () => {
  const buckets = new Buckets(100);
  buckets.take([tenant], exactly(10), 0);
  expect(buckets.take([tenant], { ...exactly(1), returned: 5 }, 0)).toMatchObject({
    isAllowed: true,
    remaining: 4,
  });
  expect(buckets.take([tenant], { ...exactly(1), returned: 500 }, 0).remaining).toBe(9);
});

test("what is full again is forgotten, and past the bound the oldest is", () => {
  const buckets = new Buckets(50);
  const ask = (name: string, nowMs: number) => buckets.take([{ name, rate }], exactly(1), nowMs);
  for (let i = 0; i < 1_000; i++) ask(`busy ${i}`, 0);
  expect(buckets.size).toBe(50);
  for (let i = 0; i < 100; i++) ask(`idle ${i}`, 10_000 + i * 1_000);
  expect(buckets.size).toBeLessThanOrEqual(3);
});

test("a bucket that is not full outlives newcomers while there is room", () => {
  const buckets = new Buckets(50);
  buckets.take([{ name: "slow", rate: { capacity: 100, perSecond: 0.01 } }], exactly(100), 0);
  for (let i = 0; i < 500; i++) buckets.take([{ name: `quick ${i}`, rate }], exactly(1), i * 1_000);
  const slow = { name: "slow", rate: { capacity: 100, perSecond: 0.01 } };
  expect(buckets.take([slow], exactly(50), 500_000).isAllowed).toBe(false);
});

test("a snapshot holds what is not full, and whoever takes it over goes on from there", () => {
  const buckets = new Buckets(50);
  buckets.take([tenant], exactly(8), 0);
  buckets.take([key], exactly(1), 0);
  const kept = buckets.snapshot(900);
  expect(Object.keys(kept)).toEqual(["key"]);
  const next = new Buckets(50);
  next.restore(structuredClone(buckets.snapshot(0)));
  expect(next.take([tenant], exactly(1), 100).remaining).toBe(2);
});
