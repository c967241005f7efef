import type Database from "libsql";
import type { Statement, StatementResult, Value } from "./wire.ts";

/** What reads only; anything that is not recognised is taken for a write. */
export const readsOnly = (sql: string) => /^\s*(select|explain|values|pragma\s+\w+\s*;?\s*$)/i.test(sql);

/** Runs one statement and returns what it answered, in the wire's own values. @throws SqliteError */
export function runStatement(
  db: Database.Database,
  sql: string,
  { args, named_args, want_rows }: Pick<Statement, "args" | "named_args" | "want_rows">,
): StatementResult {
  const statement = db.prepare(sql).safeIntegers(true);
  const bound = named_args.length > 0 ? [namedArguments(named_args)] : args.map(toNative);
  if (!statement.reader) {
    const { changes, lastInsertRowid } = statement.run(...bound);
    return { cols: [], rows: [], affected_row_count: changes, last_insert_rowid: String(lastInsertRowid) };
  }
  const cols = statement.columns().map(({ name, type }) => ({ name, decltype: type }));
  const changesBefore = readsOnly(sql) ? 0 : changesOf(db);
  // In raw mode a row is an array of its columns' values.
  const rows = statement.raw(true).all(...bound) as unknown[][];
  return {
    cols,
    rows: want_rows === false ? [] : rows.map((row) => row.map(toWire)),
    affected_row_count: readsOnly(sql) ? 0 : changesOf(db) - changesBefore,
    last_insert_rowid: null,
  };
}

/** All rows that this connection has ever changed. */
function changesOf(db: Database.Database): number {
  const [changes] = db.prepare("SELECT total_changes()").raw(true).get() as [number];
  return changes;
}

/** A name comes with its sigil or without; the engine's binding wants it without. */
function namedArguments(named: Statement["named_args"]): Record<string, unknown> {
  return Object.fromEntries(named.map(({ name, value }) => [name.replace(/^[:@$]/, ""), toNative(value)]));
}

function toNative(value: Value): unknown {
  switch (value.type) {
    case "null":
      return null;
    case "integer":
      return BigInt(value.value);
    case "blob":
      return Buffer.from(value.base64, "base64");
    default:
      return value.value;
  }
}

function toWire(value: unknown): Value {
  if (value === null || value === undefined) return { type: "null" };
  if (typeof value === "bigint") return { type: "integer", value: String(value) };
  if (typeof value === "number") return { type: "float", value };
  if (typeof value === "string") return { type: "text", value };
  // What is left of the engine's types is bytes.
  return {
    type: "blob",
    base64: Buffer.from(value as Uint8Array)
      .toString("base64")
      .replace(/=+$/, ""),
  };
}
