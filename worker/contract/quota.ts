import * as z from "zod";

const whole = z.int().min(0);
const resetsAt = z.iso.datetime().nullable().describe("When it is counted from 0 again; null = never.");

const QuotaUse = z
  .strictObject({
    limit: whole.nullable().describe("null = there is none."),
    used: whole,
    held: whole.describe("Taken by what is still under way, for the most that it can use."),
    remaining: whole.nullable(),
    resetsAt,
  })
  .meta({ id: "QuotaUse" });
export type QuotaUse = z.infer<typeof QuotaUse>;

const BudgetUse = z
  .strictObject({
    capMicros: whole.nullable().describe("null = there is none."),
    spentMicros: whole,
    heldMicros: whole.describe("What sandboxes that have not ended may still cost at most."),
    remainingMicros: whole.nullable(),
    resetsAt,
  })
  .meta({ id: "BudgetUse" });
export type BudgetUse = z.infer<typeof BudgetUse>;

const rate = z.strictObject({ perSecond: z.number(), burst: z.int() });

export const Quota = z
  .strictObject({
    plan: z.string(),
    concurrentSandboxes: QuotaUse,
    concurrentRuns: QuotaUse,
    createsPerDay: QuotaUse,
    cpuSeconds: QuotaUse.describe("Of this month, rounded up."),
    memoryGibSeconds: QuotaUse.describe("Of this month, rounded up."),
    storedBytes: QuotaUse,
    budget: z.strictObject({
      tenant: BudgetUse.describe(
        "Past what is included; rounded up, so a bill may be a few millionths less.",
      ),
      key: BudgetUse.describe("Of the key that asks, at list prices."),
    }),
    rates: z
      .strictObject({ control: rate, data: rate, create: rate })
      .describe("Of the tenant; the answers say what is left of them."),
  })
  .meta({ id: "Quota" });
export type Quota = z.infer<typeof Quota>;
