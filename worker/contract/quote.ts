import * as z from "zod";
import { errorCodes } from "./errors.ts";
import { Micros } from "./money.ts";
import { Prices } from "./plan.ts";
import { Quantities } from "./usage.ts";

/** Of every call that makes sandboxes or runs. */
export const quoteQuery = {
  quote: z
    .enum(["true", "false"])
    .optional()
    .describe("`true` answers what this would cost at most, and makes nothing."),
};
export const QuoteQuery = z.strictObject(quoteQuery);

export const Quote = z
  .strictObject({
    holdMicros: Micros.describe("What would be held: the most that it can cost, past what is included."),
    listMicros: Micros.describe("The same before anything that is included."),
    perHourMicros: Micros.describe("What an hour of it costs at most, at list prices."),
    quantities: Quantities.describe("The most that can be used, all sandboxes together."),
    prices: Prices,
    fits: z.boolean().describe("Whether it would be admitted at this moment, if a host has room."),
    refusal: z
      .strictObject({
        code: z.enum(errorCodes),
        status: z.int(),
        detail: z.string(),
        facts: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
      })
      .optional()
      .describe("What the call itself would be answered."),
  })
  .meta({ id: "Quote" });
export type Quote = z.infer<typeof Quote>;
