import { expect, test } from "vitest";
import { ttlCache } from "#worker/cache";

test("an entry lives for its time and not longer", () => {
  const cache = ttlCache<number>({ entriesMax: 10, ttlMs: 100 });
  cache.set("a", 1, 0);
  expect(cache.get("a", 99)).toBe(1);
  expect(cache.get("a", 100)).toBeUndefined();
});

test("a clock that is set back does not lengthen a life", () => {
  const cache = ttlCache<number>({ entriesMax: 10, ttlMs: 100 });
  cache.set("a", 1, 1_000_000);
  expect(cache.get("a", 900_000)).toBeUndefined();
});

test("the oldest entry makes room for a new one", () => {
  const cache = ttlCache<number>({ entriesMax: 2, ttlMs: 100 });
  for (const [i, key] of ["a", "b", "a", "c"].entries()) cache.set(key, i, 0);
  expect([cache.get("a", 1), cache.get("b", 1), cache.get("c", 1)]).toEqual([2, undefined, 3]);
});

test("entries are forgotten by what they hold", () => {
  const cache = ttlCache<number>({ entriesMax: 9, ttlMs: 100 });
  cache.set("a", 1, 0);
  cache.set("b", 2, 0);
  cache.deleteWhere((value) => value === 1);
  expect([cache.get("a", 1), cache.get("b", 1)]).toEqual([undefined, 2]);
});
