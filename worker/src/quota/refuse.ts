import { AppError, type Facts as ErrorFacts } from "../errors.ts";
import type { Size } from "./ask.ts";
import { decide, type Need, type Refusal } from "./decide.ts";
import type { Facts } from "./facts-store.ts";
import { longestLifetimeSeconds } from "./longest.ts";

/** The refusal with the numbers that explain it; `null` = these facts speak against nothing. */
export function refusalOf(facts: Facts, need: Need, size: Size): AppError | null {
  const refusal = decide(facts, need);
  if (!refusal) return null;
  if (refusal.code === "forbidden") return new AppError("forbidden", "This tenant is suspended.");
  const { code, resetsAtMs, ...numbers } = refusal;
  const told: ErrorFacts = {
    ...numbers,
    // What stood there before quotas had names.
    ...(need.count > 1 && { asked: need.count }),
    ...(resetsAtMs !== null && { resetsAt: new Date(resetsAtMs).toISOString() }),
    ...(isOfAmount(refusal) && { longestLifetimeSeconds: longestLifetimeSeconds(facts, need, size) }),
  };
  return new AppError(code, sentenceOf(refusal), { facts: told });
}

function isOfAmount(refusal: Exclude<Refusal, { code: "forbidden" }>): boolean {
  return refusal.code === "budget_exceeded" || !(refusal.quota in counts);
}

const counts: Record<string, (limit: number) => string> = {
  concurrentSandboxes: (limit) =>
    `This tenant may have ${limit} sandboxes at once. End one, or wait until one ends.`,
  createsPerDay: (limit) => `This tenant may make ${limit} sandboxes in a day of UTC. Ask again tomorrow.`,
  concurrentRuns: (limit) => `This tenant may have ${limit} runs at once. Wait until one ends.`,
  storedBytes: (limit) =>
    `This tenant may keep ${limit} bytes of output of runs, and a run needs room for its own. It is freed as old runs are forgotten.`,
};

function sentenceOf(refusal: Exclude<Refusal, { code: "forbidden" }>): string {
  if (refusal.code === "budget_exceeded") {
    const whose = refusal.cap === "key" ? "this API key" : "this tenant";
    return `The monthly budget of ${whose} has no room for the most that this can cost. Ask for a shorter lifetime or a budget of its own, end other sandboxes, or have the budget raised.`;
  }
  const count = counts[refusal.quota];
  if (count) return count(refusal.limit);
  return `The month's quota ${refusal.quota} has no room for the most that this can use. Ask for a shorter lifetime, end other sandboxes, or wait for the next month.`;
}
