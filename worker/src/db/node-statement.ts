import { type InArgs, type InValue, LibsqlError, type ResultSet, type Row, type Value } from "@libsql/client";
import Database from "libsql";

/** A statement that stays prepared: bind, run, and what it answered. */
export type FileStatement = (args: InArgs) => ResultSet;

/** Prepares a statement; what it returns may be called any number of times. @throws LibsqlError */
export function prepareFileStatement(db: Database.Database, sql: string): FileStatement {
  // Integers come as bigint, since the engine would cut off silently what no JavaScript number can hold.
  const statement = inOurWords(() => db.prepare(sql).safeIntegers(true));
  if (!statement.reader) {
    return (args) => {
      const { changes, lastInsertRowid } = inOurWords(() => statement.run(bound(args)));
      return resultOf({ columns: [], types: [], rows: [], changes, rowId: BigInt(lastInsertRowid) });
    };
  }
  statement.raw(true);
  let shape = shapeOf(statement.columns());
  return (args) => {
    // Always to the last row: what is not read to its end keeps its snapshot, and with it every later write out.
    const raw = inOurWords(() => statement.all(bound(args))) as Value[][];
    // The engine itself prepares a statement anew when the schema has changed, and `*` may be more columns then.
    if (raw[0] && raw[0].length !== shape.columns.length) shape = shapeOf(statement.columns());
    return resultOf({ ...shape, rows: raw.map(shape.toRow), changes: 0, rowId: undefined });
  };
}

function shapeOf(described: Database.ColumnDefinition[]) {
  const columns = described.map(({ name }) => name);
  return { columns, types: described.map(({ type }) => type ?? ""), toRow: rowMaker(columns) };
}

type Answered = {
  columns: string[];
  types: string[];
  rows: Row[];
  changes: number;
  rowId: bigint | undefined;
};

function resultOf({ columns, types, rows, changes, rowId }: Answered): ResultSet {
  const result = { columns, columnTypes: types, rows, rowsAffected: changes, lastInsertRowid: rowId };
  return { ...result, toJSON: () => ({ ...result, lastInsertRowid: rowId?.toString() ?? null }) };
}

/**
 * Rows as the library's clients give them: values by index and by name, of which only the names are enumerable. Here
 * the indexes are the prototype's: to define them on each row took longer than to read it.
 */
function rowMaker(columns: readonly string[]): (raw: readonly Value[]) => Row {
  class FileRow {
    readonly #values: readonly Value[];
    constructor(values: readonly Value[]) {
      this.#values = values;
    }
    static {
      const valueAt = (i: number) => ({
        get(this: FileRow) {
          return this.#values[i];
        },
      });
      columns.forEach((_name, i) => {
        Object.defineProperty(FileRow.prototype, i, valueAt(i));
      });
      Object.defineProperty(FileRow.prototype, "length", { value: columns.length });
    }
  }
  // Of two columns with one name the first has it, and no name hides an index or the length.
  const named = columns
    .map((name, at) => ({ name, at }))
    .filter(({ name, at }) => columns.indexOf(name) === at && !Object.hasOwn(FileRow.prototype, name));
  return (raw) => {
    const values = raw.map(fromEngine);
    const row = new FileRow(values) as unknown as Row;
    for (const { name, at } of named) row[name] = values[at] ?? null;
    return row;
  };
}

function fromEngine(value: unknown): Value {
  if (typeof value === "bigint") {
    if (Number.isSafeInteger(Number(value))) return Number(value);
    throw new RangeError("The database holds an integer that no JavaScript number can hold.");
  }
  // The engine's buffers may share their memory with others.
  return value instanceof Uint8Array ? new Uint8Array(value).buffer : (value as Value);
}

function bound(args: InArgs): unknown {
  if (Array.isArray(args)) return args.map(toEngine);
  // A name comes with its sigil or without; the engine's binding wants it without.
  return Object.fromEntries(
    Object.entries(args).map(([name, value]) => [name.replace(/^[:@$]/, ""), toEngine(value)]),
  );
}

function toEngine(value: InValue): unknown {
  if (typeof value === "string" || value === null) return value;
  if (typeof value === "number" && !Number.isFinite(value))
    throw new RangeError("Only finite numbers can be stored.");
  if (typeof value === "boolean") return value ? 1 : 0;
  if (value instanceof Date) return value.getTime();
  if (value instanceof ArrayBuffer) return Buffer.from(value);
  if (value === undefined) throw new TypeError("A statement has a value that is undefined.");
  return value;
}

/** What the engine says, as the library's clients throw it: callers go by `code` and `extendedCode`. */
export function inOurWords<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof Database.SqliteError)) throw error;
    throw new LibsqlError(error.message, baseCode(error), error.code, error.rawCode, error);
  }
}

/** The engine's result codes, of which an extended one has the base in its lowest byte. */
const baseCodes =
  "OK ERROR INTERNAL PERM ABORT BUSY LOCKED NOMEM READONLY INTERRUPT IOERR CORRUPT NOTFOUND FULL CANTOPEN PROTOCOL EMPTY SCHEMA TOOBIG CONSTRAINT MISMATCH MISUSE NOLFS AUTH FORMAT RANGE NOTADB NOTICE WARNING".split(
    " ",
  );

const baseCode = ({ rawCode = -1 }: { rawCode?: number }) =>
  `SQLITE_${baseCodes[rawCode & 0xff] ?? "UNKNOWN"}`;
