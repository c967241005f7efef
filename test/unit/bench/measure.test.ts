import * as fc from "fast-check";
import { expect, test } from "vitest";
import { summarize } from "#test/bench/figures/measure";

test("percentiles are values that were measured, by nearest rank", () => {
  const hundred = Array.from({ length: 100 }, (_, at) => 100 - at);
  expect(summarize(hundred)).toEqual({ n: 100, mean: 50.5, min: 1, p50: 50, p95: 95, p99: 99 });
  expect(summarize([7])).toEqual({ n: 1, mean: 7, min: 7, p50: 7, p95: 7, p99: 7 });
  expect(summarize([1, 2, 1000])).toMatchObject({ p50: 2, p95: 1000, p99: 1000 });
});

test("of any durations no percentile is left out, made up or out of order", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1 }), (durationsMs) => {
      const before = [...durationsMs];
      const { n, min, p50, p95, p99 } = summarize(durationsMs);
      expect(durationsMs).toEqual(before);
      expect(n).toBe(durationsMs.length);
      expect([min, p50, p95, p99]).toEqual([min, p50, p95, p99].toSorted((a, b) => a - b));
      for (const value of [min, p50, p95, p99]) expect(durationsMs).toContain(value);
      expect(durationsMs.filter((ms) => ms <= p95).length).toBeGreaterThanOrEqual(0.95 * n);
    }),
  );
});

test("nothing measured is an error and no figure", () => {
  expect(() => summarize([])).toThrow("Nothing was measured.");
});
