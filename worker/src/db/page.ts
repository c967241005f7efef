import { and, desc, eq, gt, lt, or, type SQL, sql } from "drizzle-orm";
import type { SQLiteColumn } from "drizzle-orm/sqlite-core";
import type { Position } from "../cursor.ts";

type Columns = { createdAtMs: SQLiteColumn; id: SQLiteColumn };

/** From new to old. */
export const newestFirst = ({ createdAtMs, id }: Columns) => [desc(createdAtMs), desc(id)];

/** What follows a position in that order. */
export function older({ createdAtMs, id }: Columns, than: Position | undefined): SQL | undefined {
  if (!than) return undefined;
  return or(lt(createdAtMs, than.createdAtMs), and(eq(createdAtMs, than.createdAtMs), lt(id, than.id)));
}

/** What stands before a position in that order, the position included. */
export function notOlder({ createdAtMs, id }: Columns, than: Position | undefined): SQL | undefined {
  if (!than) return undefined;
  return or(
    gt(createdAtMs, than.createdAtMs),
    and(eq(createdAtMs, than.createdAtMs), or(gt(id, than.id), eq(id, than.id))),
  );
}

/** Has every one of these entries. Names are compared as values: a path of JSON would have to be quoted. */
export function hasEntries(metadata: SQLiteColumn, wanted: Record<string, string> = {}): SQL | undefined {
  const each = Object.entries(wanted).map(
    ([key, value]) =>
      sql`EXISTS (SELECT 1 FROM json_each(${metadata}) WHERE key = ${key} AND value = ${value})`,
  );
  return and(...each);
}
