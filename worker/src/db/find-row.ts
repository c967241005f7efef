import { getTableColumns, getTableName, type InferSelectModel } from "drizzle-orm";
import type { SQLiteColumn, SQLiteTable } from "drizzle-orm/sqlite-core";
import type { Db } from "./client.ts";

/**
 * Makes the search for the one row of a table whose columns have given values. Text and decoding are put together once;
 * through the query builder, prepared as well, a read takes four more promises and a quarter more processor time.
 */
export function rowFinder<T extends SQLiteTable, K extends keyof T["_"]["columns"] & string>(
  table: T,
  by: readonly K[],
) {
  type Row = InferSelectModel<T>;
  const columns: Record<string, SQLiteColumn> = getTableColumns(table);
  const shape = Object.entries(columns);
  const names = shape.map(([, column]) => `"${column.name}"`).join(", ");
  const wanted = by.map((key) => `"${columns[key]?.name}" = ?`).join(" AND ");
  const sql = `SELECT ${names} FROM "${getTableName(table)}" WHERE ${wanted} LIMIT 1`;
  return async (db: Db, values: Record<K, string | number>): Promise<Row | undefined> => {
    const { rows } = await db.$client.execute({ sql, args: by.map((key) => values[key]) });
    const [found] = rows;
    if (!found) return undefined;
    const row: Record<string, unknown> = {};
    shape.forEach(([key, column], at) => {
      const value = found[at];
      row[key] = value === null ? null : column.mapFromDriverValue(value);
    });
    // Decoded by the table's own columns, all of them.
    return row as Row;
  };
}
