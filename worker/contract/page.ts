import * as z from "zod";
import { limits } from "./limits.ts";
import { Metadata } from "./text.ts";

/** What every list takes. `metadata.<key>=<value>` is sent once per key and arrives here as one map. */
export const pageQuery = {
  limit: z
    .string()
    .regex(/^\d{1,4}$/, `must be a whole number up to ${limits.pageMaxItems}`)
    .transform(Number)
    .pipe(z.int().min(1).max(limits.pageMaxItems))
    .optional(),
  cursor: z.string().max(256).optional(),
  /** Only what has all of these. */
  metadata: Metadata.refine(
    (map) => Object.keys(map).length <= limits.metadataFiltersMax,
    `at most ${limits.metadataFiltersMax} at once`,
  ).optional(),
};

/** Names with this prefix are parts of the map `metadata`. */
export const metadataPrefix = "metadata.";

export const pageOf = <T extends z.ZodType>(item: T) =>
  z.strictObject({
    items: z.array(item),
    /** Send it back as `cursor` for what follows; absent on the last page. */
    nextCursor: z.string().optional(),
  });
