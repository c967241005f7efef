import * as z from "zod";

export const Health = z.strictObject({ status: z.literal("ok") }).meta({ id: "Health" });
export const Ready = z
  .strictObject({
    status: z.enum(["ok", "degraded"]),
    checks: z.strictObject({ database: z.boolean(), host: z.boolean() }),
  })
  .meta({ id: "Ready" });
export type Ready = z.infer<typeof Ready>;
