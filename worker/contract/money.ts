import * as z from "zod";

/** The largest amount of money of any field: ten million dollars. Sums of such amounts stay exact in JSON. */
const moneyMaxMicros = 10_000_000_000_000;

/** Integer millionths of a dollar. */
export const Micros = z.int().min(0).max(moneyMaxMicros);

/** What one sandbox or run may cost, wherever it is made. */
export const Budget = z
  .strictObject({
    capMicros: Micros.min(1).describe("Millionths of a dollar, at list prices; at this cost it is ended."),
  })
  .meta({ id: "Budget" });
export type Budget = z.infer<typeof Budget>;
