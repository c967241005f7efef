import type { PriceSheet } from "#contract/plan";
import { microsDown, priceOf, unitsPerPrice } from "#contract/price";
import type { StatementLine } from "#contract/statement";
import { noQuantities, type Quantities, quantityNames } from "#contract/usage";
import { includedOf } from "../quota/units.ts";

type Bill = { lines: StatementLine[]; totalMicros: number };

/**
 * The lines of a bill and their sum: per unit what goes past the included amount at its price, rounded down on the sum
 * of a month and nowhere before. A plan that blocks bills nothing: what passed all the same is ours to bear.
 */
export function billOf(used: Quantities, sheet: PriceSheet): Bill {
  const free = includedOf(sheet);
  const lines = quantityNames.map((unit) => {
    const quantity = used[unit];
    const included = Math.min(quantity, free[unit]);
    const billable = sheet.overage === "block" ? 0 : quantity - included;
    const priceMicros = sheet.prices[priceOf[unit]];
    const per = unitsPerPrice[unit];
    const micros = microsDown(billable, priceMicros, per);
    return { unit, quantity, included, billable, priceMicros, per, micros };
  });
  return { lines, totalMicros: lines.reduce((sum, { micros }) => sum + micros, 0) };
}

/** What was used at one set of prices. */
export type Priced = { quantities: Quantities; prices: PriceSheet["prices"] };

/** What these cost at list prices: each unit rounded down once, on the sum over all parts. */
export function listMicros(parts: readonly Priced[]): number {
  let total = 0n;
  for (const unit of quantityNames) {
    const product = parts.reduce(
      (sum, { quantities, prices }) => sum + BigInt(quantities[unit]) * BigInt(prices[priceOf[unit]]),
      0n,
    );
    total += product / BigInt(unitsPerPrice[unit]);
  }
  return Number(total);
}

export function addUp(parts: readonly { quantities: Quantities }[]): Quantities {
  const sum = { ...noQuantities };
  for (const { quantities } of parts) for (const unit of quantityNames) sum[unit] += quantities[unit];
  return sum;
}
