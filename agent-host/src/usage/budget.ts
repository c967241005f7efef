import { costMicros, worstCase } from "#contract/price";
import type { SandboxBudget } from "#contract/usage";
import { type Point, type Size, usedUpTo } from "./amounts.ts";

/** How long before a sandbox could have spent its budget at the earliest its programs are told. */
export const noticeSeconds = 10;
/** From one look to the next, and from a decision to the last process's end: what is spent before an end takes effect. */
const delaySeconds = 2;

export type BudgetVerdict = "go" | "warn" | "end";

/**
 * Whether a sandbox may go on. It is ended while the worst that it can do until then is still paid for, so its cost
 * stays below the cap; only a host that was held up for longer bears what comes on top.
 */
export function verdictOn(size: Size, budget: SandboxBudget, point: Point): BudgetVerdict {
  const spent = costMicros(usedUpTo(size, point), budget.prices);
  const within = (seconds: number) =>
    spent + costMicros(worstCase(size, seconds), budget.prices) > budget.capMicros;
  if (within(delaySeconds)) return "end";
  return within(delaySeconds + noticeSeconds) ? "warn" : "go";
}
