import * as z from "zod";
import { Overage } from "./plan.ts";
import { Quantities } from "./usage.ts";

export const csvType = "text/csv";

/** A month of UTC. */
export const Month = z.string().regex(/^20\d\d-(0[1-9]|1[0-2])$/, "must be a month such as 2026-01");

/** Whole millionths of a dollar. A sum of many may pass what a single field may be set to. */
const money = z.int().min(0);
const amount = z.int().min(0);

/** What one unit of a bill counts, for people: `per` of it cost `priceMicros`. */
const StatementLine = z
  .strictObject({
    unit: z.enum(["cpuMs", "memoryMiBSeconds", "diskMiBSeconds", "egressKiB", "pausedMiBSeconds"]),
    quantity: amount.describe("All that was used."),
    included: amount.describe("Of it, what the plan includes."),
    billable: amount.describe("The rest; 0 with a plan that blocks, which bills nothing."),
    priceMicros: money.describe("The price of `per` units."),
    per: amount.describe("Units that the price is for, such as the 3,600,000 ms of an hour."),
    micros: money.describe("billable x priceMicros / per, rounded down."),
  })
  .meta({ id: "StatementLine" });
export type StatementLine = z.infer<typeof StatementLine>;

const share = {
  quantities: Quantities,
  listMicros: money.describe("At list prices, before included amounts, each unit rounded down."),
};

export const Statement = z
  .strictObject({
    month: Month,
    isDraft: z.boolean().describe("Worked out just now, and still growing; false = closed for good."),
    closedAt: z.iso.datetime().optional(),
    plan: z.string().describe("What the month is billed by, as it was at its first use."),
    overage: Overage,
    currency: z.literal("USD"),
    lines: z.array(StatementLine).describe("One per unit."),
    totalMicros: money.describe("The sum of the lines, in millionths of a dollar."),
    byTemplate: z.array(z.strictObject({ template: z.string(), ...share })),
    byKey: z.array(
      z.strictObject({
        keyId: z.string(),
        name: z.string().nullable().describe("As it was called; null when it is not there any more."),
        ...share,
      }),
    ),
  })
  .meta({ id: "Statement" });
export type Statement = z.infer<typeof Statement>;

export const StatementList = z
  .strictObject({
    items: z.array(Statement.pick({ month: true, isDraft: true, closedAt: true, totalMicros: true })),
  })
  .meta({ id: "StatementList" });
export type StatementList = z.infer<typeof StatementList>;

export const StatementQuery = z.strictObject({
  format: z
    .enum(["json", "csv"])
    .optional()
    .describe("`csv` is what `Accept: text/csv` asks for too; `json` when absent."),
});
