import { and, desc, eq, type SQL, sql } from "drizzle-orm";
import type { AnySQLiteColumn } from "drizzle-orm/sqlite-core";
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
  const order = newestFirst(table);
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

type Aged = { createdAtMs: AnySQLiteColumn; id: AnySQLiteColumn };
/** From new to old; the id decides between what was made in the same millisecond. */
export const newestFirst = ({ createdAtMs, id }: Aged): SQL[] => [desc(createdAtMs), desc(id)];

/** What follows a position in that order. */
export function older({ createdAtMs, id }: Aged, than: Position | undefined): SQL | undefined {
  return than && sql`(${createdAtMs}, ${id}) < (${than.createdAtMs}, ${than.id})`;
}

/** A page and where the next one begins, out of one row more than was asked for. */
export function cutPage<Row extends Position>(
  rows: readonly Row[],
  limit: number,
): { rows: Row[]; next?: Position } {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return {
    rows: shown,
    ...(rows.length > limit && last && { next: { createdAtMs: last.createdAtMs, id: last.id } }),
  };
}

/** What stands before a position in that order, the position included. */
function notOlder({ createdAtMs, id }: Aged, than: Position | undefined): SQL | undefined {
  return than && sql`(${createdAtMs}, ${id}) >= (${than.createdAtMs}, ${than.id})`;
}

/** Has every one of these entries. Names are compared as values: a path of JSON would have to be quoted. */
function hasEntries({ metadata }: Listed, wanted: Record<string, string> = {}): SQL | undefined {
  const each = Object.entries(wanted).map(
    ([key, value]) =>
      sql`EXISTS (SELECT 1 FROM json_each(${metadata}) WHERE key = ${key} AND value = ${value})`,
  );
  return and(...each);
}
