import * as z from "zod";
import { limits } from "./limits.ts";
import { metadataPrefix } from "./page.ts";
import { Month } from "./statement.ts";
import { Quantities } from "./usage.ts";

const dayMs = 86_400_000;
const daysMax = 400;
/** Labels are not summed up ahead: each event is looked at. */
const labelDaysMax = 31;

const Day = z.iso.date("must be a day such as 2026-01-31");
const GroupBy = z
  .string()
  .regex(
    new RegExp(`^(day|template|key|metadata\\.[\\s\\S]{1,${limits.metadataKeyMaxChars}})$`),
    "must be day, template, key or metadata.<label>",
  );

export const UsageQuery = z
  .strictObject({
    month: Month.optional().describe("What is billed in this month; the one that runs when nothing is said."),
    from: Day.optional().describe("First day of UTC, whatever month it is billed in; with `to`."),
    to: Day.optional().describe(
      `The day after the last one; ${daysMax} days at most, ${labelDaysMax} by a label.`,
    ),
    groupBy: GroupBy.optional().describe(
      "`day`, `template`, `key`, or `metadata.<label>` for the values of one of your labels; `day` when absent.",
    ),
  })
  .refine(({ month, from }) => month === undefined || from === undefined, "give a month, or days")
  .refine(({ from, to }) => (from === undefined) === (to === undefined), "give both `from` and `to`")
  .refine(({ from, to }) => from === undefined || daysOf(from, to) >= 1, "`to` must be after `from`")
  .refine(
    ({ from, to, groupBy }) =>
      from === undefined || daysOf(from, to) <= (isLabel(groupBy) ? labelDaysMax : daysMax),
    `at most ${daysMax} days, and ${labelDaysMax} by a label`,
  );
export type UsageQuery = z.infer<typeof UsageQuery>;

const daysOf = (from: string, to = from) => (Date.parse(to) - Date.parse(from)) / dayMs;
const isLabel = (groupBy = "") => groupBy.startsWith(metadataPrefix);

const share = {
  quantities: Quantities,
  listMicros: z
    .int()
    .min(0)
    .describe("Millionths of a dollar at list prices, before included amounts; rounded down per unit."),
};

export const UsageSummary = z
  .strictObject({
    month: Month.optional(),
    from: Day.optional(),
    to: Day.optional(),
    groupBy: z.string(),
    groups: z
      .array(
        z.strictObject({
          group: z
            .string()
            .nullable()
            .describe("A day, a template, a key's id or a label's value; null = without that label."),
          ...share,
        }),
      )
      .describe("Days in order, anything else the dearest first; what used nothing is not there."),
    others: z.strictObject(share).optional().describe("The cheapest groups of more than 1,000, together."),
    total: z.strictObject(share).describe("Of all groups, and rounded on its own sum."),
  })
  .meta({ id: "UsageSummary" });
export type UsageSummary = z.infer<typeof UsageSummary>;
