import * as z from "zod";
import { TemplateName } from "#contract/sandbox";
import type { Clock } from "../context.ts";
import type { Db } from "../db/client.ts";
import { upsertTemplate } from "./store.ts";

/** What the builder says of a template; what it leaves open follows the control plane's defaults. */
export const TemplateEntry = z.strictObject({
  name: TemplateName,
  aliases: z.array(TemplateName).max(32),
  digest: z.string().min(1).max(128),
  cpu: z.number().positive().optional(),
  memoryMiB: z.int().positive().optional(),
  pids: z.int().positive().optional(),
  diskMiB: z.int().positive().optional(),
});
export type TemplateEntry = z.infer<typeof TemplateEntry>;

/** Makes a template known under its name and aliases, or replaces what was known. */
export async function registerTemplate(deps: { db: Db; now: Clock }, entry: TemplateEntry): Promise<void> {
  const { name, digest, cpu, memoryMiB, pids, diskMiB } = TemplateEntry.parse(entry);
  const row = {
    name,
    digest,
    cpu: cpu ?? null,
    memoryMiB: memoryMiB ?? null,
    pids: pids ?? null,
    diskMiB: diskMiB ?? null,
    updatedAtMs: deps.now(),
  };
  await upsertTemplate(deps.db, row, entry.aliases);
}
