import { and, desc, eq, gt, lt, or, type SQL, sql } from "drizzle-orm";
import type { TenantId } from "#contract/ids";
import { limits } from "#contract/limits";
import type { Position } from "../cursor.ts";
import type { Db } from "./client.ts";
import type { runs, sandboxes } from "./schema.ts";

export type Page = {
  limit: number;
  after: Position | undefined;
  template: string | undefined;
  state?: string | undefined;
  metadata?: Record<string, string> | undefined;
};
/** What lists are made of: these have the same columns and indexes to be listed by. */
export type Listed = typeof sandboxes | typeof runs;

type Select<Row> = (where: SQL | undefined, order: SQL[], limit: number) => Promise<Row[]>;

/**
 * One page of a tenant's rows, and where the next one begins. Metadata has no index, so only so many rows are looked
 * through for it: a page may be short, or empty, with more to come.
 */
export async function pageOfRows<Row extends Position>(
  db: Db,
  tenantId: TenantId,
  { table, page, select }: { table: Listed; page: Page; select: Select<Row> },
): Promise<{ rows: Row[]; next?: Position }> {
  const order = [desc(table.createdAtMs), desc(table.id)];
  const listed = and(
    eq(table.tenantId, tenantId),
    page.state === undefined ? undefined : sql`${table.state} = ${page.state}`,
    page.template === undefined ? undefined : eq(table.template, page.template),
    older(table, page.after),
  );
  const [last] = page.metadata
    ? await db
        .select({ createdAtMs: table.createdAtMs, id: sql<string>`${table.id}` })
        .from(table)
        .where(listed)
        .orderBy(...order)
        .limit(1)
        .offset(limits.listScanMaxRows - 1)
    : [];
  const where = and(listed, notOlder(table, last), hasEntries(table, page.metadata));
  // One more than asked for tells whether there is another page.
  const rows = await select(where, order, page.limit + 1);
  const shown = rows.slice(0, page.limit);
  const next = rows.length > page.limit ? shown.at(-1) : last;
  return { rows: shown, ...(next && { next: { createdAtMs: next.createdAtMs, id: next.id } }) };
}

/** What follows a position, from new to old. */
function older({ createdAtMs, id }: Listed, than: Position | undefined): SQL | undefined {
  if (!than) return undefined;
  return or(
    lt(createdAtMs, than.createdAtMs),
    and(eq(createdAtMs, than.createdAtMs), sql`${id} < ${than.id}`),
  );
}

/** What stands before a position in that order, the position included. */
function notOlder({ createdAtMs, id }: Listed, than: Position | undefined): SQL | undefined {
  if (!than) return undefined;
  return or(
    gt(createdAtMs, than.createdAtMs),
    and(eq(createdAtMs, than.createdAtMs), sql`${id} >= ${than.id}`),
  );
}

/** Has every one of these entries. Names are compared as values: a path of JSON would have to be quoted. */
function hasEntries({ metadata }: Listed, wanted: Record<string, string> = {}): SQL | undefined {
  const each = Object.entries(wanted).map(
    ([key, value]) =>
      sql`EXISTS (SELECT 1 FROM json_each(${metadata}) WHERE key = ${key} AND value = ${value})`,
  );
  return and(...each);
}
