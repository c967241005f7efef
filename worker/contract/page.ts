import * as z from "zod";
import { limits } from "./limits.ts";
import { Metadata } from "./text.ts";

/** Names with this prefix are parts of the map `metadata`. */
export const metadataPrefix = "metadata.";

/** What every list takes. */
export const plainPageQuery = {
  limit: z
    .string()
    .regex(/^\d{1,4}$/, `must be a whole number up to ${limits.pageMaxItems}`)
    .transform(Number)
    .pipe(z.int().min(1).max(limits.pageMaxItems))
    .optional()
    .describe(`At most ${limits.pageMaxItems}; ${limits.pageDefaultItems} when absent.`),
  cursor: z.string().max(256).optional().describe("The `nextCursor` of the page before."),
};

/** What lists take of what has metadata. */
export const pageQuery = {
  ...plainPageQuery,
  metadata: Metadata.refine(
    (map) => Object.keys(map).length <= limits.metadataFiltersMax,
    `at most ${limits.metadataFiltersMax} at once`,
  )
    .optional()
    .describe("Only what has these entries, each sent as `metadata.<key>=<value>`; four at most."),
};

export const PlainPageQuery = z.strictObject(plainPageQuery);
export type PlainPageQuery = z.infer<typeof PlainPageQuery>;

export const pageOf = <T extends z.ZodType>(item: T) =>
  z.strictObject({
    items: z.array(item),
    nextCursor: z
      .string()
      .optional()
      .describe("Send it back as `cursor` for what follows; absent on the last page."),
  });
