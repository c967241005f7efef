import { limits } from "#contract/limits";
import { worstCase } from "#contract/price";
import { noQuantities, type Quantities } from "#contract/usage";
import type { Size } from "./ask.ts";
import { type Need, refusedAmount } from "./decide.ts";
import type { Facts } from "./facts-store.ts";
import { ofEach } from "./units.ts";

/** Of what can be used at most, the part that was not yet. */
export const leftOf = (most: Quantities, used: Quantities = noQuantities): Quantities =>
  ofEach(({ name }) => Math.max(0, most[name] - used[name]));

/**
 * The longest life that budgets and monthly quotas have room for: it fits, and one second more does not. 0 = not even
 * the shortest one that may be asked for.
 * @param need its `quantities` are those of the lifetime that was asked for, and are not looked at
 */
export function longestLifetimeSeconds(facts: Facts, need: Omit<Need, "quantities">, size: Size): number {
  const fits = (seconds: number) =>
    refusedAmount(facts, { ...need, quantities: leftOf(worstCase(size, seconds), need.used) }) === null;
  let longest = 0;
  let tooLong = Math.min(limits.lifetimeMaxSeconds, facts.limits.sandboxLifetimeSeconds) + 1;
  while (tooLong - longest > 1) {
    const middle = Math.floor((longest + tooLong) / 2);
    if (fits(middle)) longest = middle;
    else tooLong = middle;
  }
  return longest < limits.lifetimeMinSeconds ? 0 : longest;
}
