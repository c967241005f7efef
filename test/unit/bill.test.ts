import fc from "fast-check";
import { expect, test } from "vitest";
import type { PriceSheet } from "#contract/plan";
import { costMicros, priceOf, unitsPerPrice } from "#contract/price";
import { type Quantities, quantityNames } from "#contract/usage";
import { includedOf } from "#worker/quota/units";
import { addUp, billOf, listMicros } from "#worker/usage/bill";
import { groupParts } from "#worker/usage/group";

const amounts = (max: number): fc.Arbitrary<Quantities> => {
  const amount = fc.nat(max);
  return fc.record({
    cpuMs: amount,
    memoryMiBSeconds: amount,
    diskMiBSeconds: amount,
    egressKiB: amount,
    pausedMiBSeconds: amount,
  });
};
const price = fc.nat(1_000_000);
const sheets: fc.Arbitrary<PriceSheet> = fc.record({
  plan: fc.constant("standard"),
  overage: fc.constantFrom("bill", "block"),
  prices: fc.record({
    cpuHourMicros: price,
    memoryGibHourMicros: price,
    diskGibHourMicros: price,
    egressGibMicros: price,
    pausedGibHourMicros: price,
  }),
  included: fc.record({
    cpuSeconds: fc.nat(1_000),
    memoryGibSeconds: fc.nat(1_000),
    diskGibSeconds: fc.nat(1_000),
    egressGib: fc.nat(2),
  }),
});
const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0);

test("a bill is what goes past the included amounts at its price, each unit rounded down once", () => {
  fc.assert(
    fc.property(amounts(1_000_000_000), sheets, (used, sheet) => {
      const free = includedOf(sheet);
      let model = 0n;
      for (const unit of quantityNames) {
        const past = BigInt(Math.max(0, used[unit] - free[unit]));
        model += (past * BigInt(sheet.prices[priceOf[unit]])) / BigInt(unitsPerPrice[unit]);
      }
      const { lines, totalMicros } = billOf(used, sheet);
      expect(totalMicros).toBe(sheet.overage === "block" ? 0 : Number(model));
      expect(totalMicros).toBe(sum(lines.map(({ micros }) => micros)));
      for (const { unit, quantity, included, billable } of lines) {
        expect(quantity).toBe(used[unit]);
        expect(included).toBeLessThanOrEqual(free[unit]);
        if (sheet.overage === "bill") expect(included + billable).toBe(quantity);
      }
    }),
  );
});

test("what is used after it was admitted under a cap is billed at no more than the cap", () => {
  type Step = { needed: Quantities; shares: Quantities };
  const step: fc.Arbitrary<Step> = fc.record({ needed: amounts(100_000_000), shares: amounts(1_000) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), sheets, fc.nat(200_000), (steps, sheet, cap) => {
      const free = includedOf(sheet);
      const past = (all: Quantities) => {
        const over = { ...all };
        for (const unit of quantityNames) over[unit] = Math.max(0, all[unit] - free[unit]);
        return over;
      };
      let used = addUp([]);
      let held = addUp([]);
      for (const { needed, shares } of steps) {
        // Some of what is held has been used by now, in whatever order.
        for (const unit of quantityNames) {
          const part = Math.floor((held[unit] * shares[unit]) / 1_000);
          held = { ...held, [unit]: held[unit] - part };
          used = { ...used, [unit]: used[unit] + part };
        }
        const wanted = addUp([{ quantities: used }, { quantities: held }, { quantities: needed }]);
        const isAdmitted = costMicros(past(wanted), sheet.prices) <= cap;
        if (isAdmitted) held = addUp([{ quantities: held }, { quantities: needed }]);
        expect(billOf(used, sheet).totalMicros).toBeLessThanOrEqual(cap);
      }
      const all = addUp([{ quantities: used }, { quantities: held }]);
      expect(billOf(all, sheet).totalMicros).toBeLessThanOrEqual(cap);
    }),
  );
});

test("a plan that blocks bills nothing, whatever was used", () => {
  fc.assert(
    fc.property(amounts(1_000_000_000), sheets, (used, sheet) => {
      expect(billOf(used, { ...sheet, overage: "block" }).totalMicros).toBe(0);
    }),
  );
});

test("groups add up to the total in every unit, and in money but for what each has rounded away", () => {
  const part = fc.record({ label: fc.constantFrom("a", "b", "c", null), quantities: amounts(10_000_000) });
  fc.assert(
    fc.property(fc.array(part), sheets, fc.nat(4), (parts, { prices }, groupsMax) => {
      const priced = parts.map((each) => ({ ...each, prices }));
      const { groups, others, total } = groupParts(priced, groupsMax);
      const shares = others ? [...groups, others] : groups;
      expect(groups.length).toBeLessThanOrEqual(groupsMax);
      expect(addUp(shares)).toEqual(total.quantities);
      expect(total.listMicros).toBe(listMicros(priced));
      const micros = sum(shares.map((share) => share.listMicros));
      expect(total.listMicros - micros).toBeGreaterThanOrEqual(0);
      expect(total.listMicros - micros).toBeLessThan(shares.length * quantityNames.length + 1);
      expect(groups.map((group) => group.listMicros)).toEqual(
        groups.map((group) => group.listMicros).sort((a, b) => b - a),
      );
    }),
  );
});
