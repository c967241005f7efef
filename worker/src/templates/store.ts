import { sql } from "drizzle-orm";
import type { Db } from "../db/client.ts";
import { aliases, templates } from "../db/schema.ts";

// Templates are the operator's: every tenant may use them, so these functions take none.

export type TemplateRow = typeof templates.$inferSelect;
const templatesMax = 10_000;

export async function listTemplates(
  db: Db,
): Promise<{ templates: TemplateRow[]; aliases: Map<string, string> }> {
  const [rows, named] = await db.batch([
    db.select().from(templates).limit(templatesMax),
    db.select().from(aliases).limit(templatesMax),
  ]);
  return { templates: rows, aliases: new Map(named.map((alias) => [alias.name, alias.template])) };
}

/** Sets a template and the aliases that lead to it, in one batch. */
export async function upsertTemplate(db: Db, row: TemplateRow, names: readonly string[]): Promise<void> {
  const template = db
    .insert(templates)
    .values(row)
    .onConflictDoUpdate({
      target: templates.name,
      set: {
        digest: row.digest,
        cpu: row.cpu,
        memoryMiB: row.memoryMiB,
        pids: row.pids,
        diskMiB: row.diskMiB,
        updatedAtMs: row.updatedAtMs,
      },
    });
  const named = names.map((name) =>
    db
      .insert(aliases)
      .values({ name, template: row.name })
      .onConflictDoUpdate({ target: aliases.name, set: { template: sql`excluded.template` } }),
  );
  await db.batch([template, ...named]);
}
