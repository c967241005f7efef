import fc from "fast-check";
import { expect, test } from "vitest";
import type { Prices } from "#contract/plan";
import { costMicros, microsDown, microsUp, priceOf, unitsPerPrice, worstCase } from "#contract/price";
import { noQuantities, type Quantities, quantityNames } from "#contract/usage";

const prices: Prices = {
  cpuHourMicros: 50_400,
  memoryGibHourMicros: 16_200,
  diskGibHourMicros: 200,
  egressGibMicros: 100_000,
  pausedGibHourMicros: 1_620,
};
const amount = fc.integer({ min: 0, max: 1_000_000_000_000 });
const quantities: fc.Arbitrary<Quantities> = fc.record({
  cpuMs: amount,
  memoryMiBSeconds: amount,
  diskMiBSeconds: amount,
  egressKiB: amount,
  pausedMiBSeconds: amount,
});
const plus = (a: Quantities, b: Quantities): Quantities => {
  const sum = { ...noQuantities };
  for (const name of quantityNames) sum[name] = a[name] + b[name];
  return sum;
};

test("an hour of one core, of a GiB and of each other unit costs its price, exactly", () => {
  for (const name of quantityNames) {
    expect(costMicros({ ...noQuantities, [name]: unitsPerPrice[name] }, prices)).toBe(prices[priceOf[name]]);
  }
});

test("a smallest part of a unit costs a micro-dollar when it is held, and none when it is billed", () => {
  expect(costMicros({ ...noQuantities, cpuMs: 1 }, prices)).toBe(1);
  expect(microsDown(1, prices.cpuHourMicros, unitsPerPrice.cpuMs)).toBe(0);
});

test("what is held for parts is never less than what their sum is billed", () => {
  fc.assert(
    fc.property(fc.array(quantities, { minLength: 1, maxLength: 8 }), (parts) => {
      const total = parts.reduce(plus, noQuantities);
      const held = parts.reduce((sum, part) => sum + costMicros(part, prices), 0);
      const billed = quantityNames.reduce(
        (sum, name) => sum + microsDown(total[name], prices[priceOf[name]], unitsPerPrice[name]),
        0,
      );
      expect(held).toBeGreaterThanOrEqual(costMicros(total, prices));
      expect(costMicros(total, prices)).toBeGreaterThanOrEqual(billed);
    }),
  );
});

test("amounts past the exact range of numbers are multiplied without a loss", () => {
  expect(microsUp(9_007_199_254_740_991, 1_000_000_000, 3_600_000)).toBe(
    Number((9_007_199_254_740_991n * 1_000_000_000n + 3_599_999n) / 3_600_000n),
  );
});

test("the worst case of a sandbox is its size for its whole life", () => {
  expect(worstCase({ cpu: 0.25, memoryMiB: 256, diskMiB: 1024 }, 900)).toEqual({
    cpuMs: 225_000,
    memoryMiBSeconds: 230_400,
    diskMiBSeconds: 921_600,
    egressKiB: 0,
    pausedMiBSeconds: 0,
  });
});
