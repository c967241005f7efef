import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, createClient, type InStatement, type ResultSet } from "@libsql/client";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openFileClient } from "#worker/db/node-file";

const schema = [
  "CREATE TABLE owners (id TEXT PRIMARY KEY, note TEXT)",
  `CREATE TABLE things (
    id INTEGER PRIMARY KEY, owner TEXT NOT NULL REFERENCES owners (id), size REAL CHECK (size >= 0), bytes BLOB, big INTEGER)`,
  "INSERT INTO owners VALUES ('ada', NULL), ('bo', 'a note')",
];

let folder: string;
let ours: Client;
let theirs: Client;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "sandgate-test-"));
  ours = openFileClient(join(folder, "ours.db"));
  // Alone in a file of its own; the library's client is what ours stands in for.
  theirs = createClient({ url: `file:${join(folder, "theirs.db")}`, concurrency: 1 });
  for (const client of [ours, theirs]) {
    for (const pragma of ["journal_mode = WAL", "foreign_keys = ON"])
      await client.execute(`PRAGMA ${pragma}`);
    await client.batch(schema, "write");
  }
});

afterEach(() => {
  ours.close();
  theirs.close();
  rmSync(folder, { recursive: true, force: true });
});

const insert = (args: InStatement extends string ? never : unknown[]) =>
  ({ sql: "INSERT INTO things VALUES (?, ?, ?, ?, ?)", args }) as InStatement;

const asked: [string, InStatement][] = [
  ["every type of value", insert([1, "ada", 1.5, new Uint8Array([1, 2, 3]), 9_007_199_254_740_991n])],
  ["nothing but what must be", insert([2, "bo", null, null, null])],
  ["a boolean and a date", insert([3, "bo", true, null, new Date(1_000)])],
  ["rows", "SELECT * FROM things ORDER BY id"],
  ["no rows", "SELECT id FROM things WHERE id = 99"],
  ["names given twice, and names that are an index or the length", "SELECT 1 AS a, 2 AS a, 3 AS length, 0"],
  ["a named argument", { sql: "SELECT note FROM owners WHERE id = :id", args: { id: "bo" } }],
  ["what a write returns", "UPDATE things SET size = 2 WHERE owner = 'bo' RETURNING id, size"],
  ["a write that changes several", "UPDATE things SET size = 3"],
  ["a write that changes none", "DELETE FROM things WHERE id = 99"],
  ["a pragma", "PRAGMA foreign_keys"],
];

const refused: [string, InStatement][] = [
  ["a text that is no statement", "SELEKT 1"],
  ["a table that is not there", "SELECT * FROM nowhere"],
  ["a primary key that is taken", insert([1, "ada", 1, null, null])],
  ["a check", insert([9, "ada", -1, null, null])],
  ["a reference to nothing", insert([9, "nobody", 1, null, null])],
  ["a number that is none", insert([9, "ada", Number.NaN, null, null])],
  ["a value that is undefined", insert([9, "ada", undefined, null, null])],
];

describe("the client of a file answers as the library's own", () => {
  test("for every kind of statement, when it is prepared and when it was before", async () => {
    for (const round of [1, 2]) {
      for (const client of [ours, theirs]) await client.execute("DELETE FROM things");
      for (const [name, statement] of asked) {
        const [mine, wanted] = [await ours.execute(statement), await theirs.execute(statement)];
        expect(plain(mine), `${name}, round ${round}`).toEqual(plain(wanted));
      }
    }
  });

  test("for what is refused, with the same codes", async () => {
    for (const client of [ours, theirs]) await client.execute(insert([1, "ada", 1, null, null]));
    for (const round of [1, 2]) {
      for (const [name, statement] of refused) {
        const [mine, wanted] = [await refusal(ours, [statement]), await refusal(theirs, [statement])];
        expect(mine, `${name}, round ${round}`).toEqual(wanted);
        expect(wanted.type).not.toBe("none");
      }
    }
  });

  test("for an integer that no number can hold, which it refuses rather than round it", async () => {
    for (const client of [ours, theirs]) {
      await client.execute(insert([1, "ada", 1, null, 9_007_199_254_740_993n]));
      await expect(client.execute("SELECT big FROM things")).rejects.toThrow(RangeError);
    }
  });
});

test("a batch that fails leaves nothing behind, and the next one goes on", async () => {
  const [good, bad] = [insert([1, "ada", 1, null, null]), insert([2, "nobody", 1, null, null])];
  await expect(ours.batch([good, bad], "write")).rejects.toMatchObject({ code: "SQLITE_CONSTRAINT" });
  expect((await ours.execute("SELECT count(*) AS n FROM things")).rows[0]?.n).toBe(0);
  await ours.batch([good], "write");
  expect((await ours.execute("SELECT count(*) AS n FROM things")).rows[0]?.n).toBe(1);
});

test("writes that another process is in the way of are busy, and in nobody's way afterwards", async () => {
  const other = openFileClient(join(folder, "ours.db"));
  const write = insert([1, "ada", 1, null, null]);
  await other.execute("BEGIN IMMEDIATE");
  for (const _round of [1, 2]) {
    await expect(ours.batch([write], "write")).rejects.toMatchObject({ code: "SQLITE_BUSY" });
    await expect(ours.execute("UPDATE owners SET note = 'x'")).rejects.toMatchObject({ code: "SQLITE_BUSY" });
  }
  await other.execute("COMMIT");
  await ours.batch([write], "write");
  expect((await other.execute("SELECT count(*) AS n FROM things")).rows[0]?.n).toBe(1);
  other.close();
});

test("a statement that is kept prepared sees a column that another process has added", async () => {
  const other = openFileClient(join(folder, "ours.db"));
  const ask = async () => (await ours.execute("SELECT * FROM owners WHERE id = 'ada'")).rows[0];
  expect(Object.keys((await ask()) ?? {})).toEqual(["id", "note"]);
  await other.execute("ALTER TABLE owners ADD COLUMN since TEXT DEFAULT 'always'");
  expect(await ask()).toMatchObject({ id: "ada", note: null, since: "always" });
  other.close();
});

test("what was read keeps no snapshot: another process can shorten the log", async () => {
  const other = openFileClient(join(folder, "ours.db"));
  for (const _round of [1, 2]) await ours.execute("SELECT * FROM owners");
  await other.execute("INSERT INTO owners VALUES ('cy', NULL)");
  const { rows } = await other.execute("PRAGMA wal_checkpoint(TRUNCATE)");
  expect(rows[0]).toMatchObject({ busy: 0, log: 0 });
  other.close();
});

test("a new connection has the pragmas of the first, and knows nothing of its statements", async () => {
  await ours.execute("SELECT * FROM owners");
  await ours.reconnect();
  expect((await ours.execute("PRAGMA foreign_keys")).rows[0]?.foreign_keys).toBe(1);
  expect((await ours.execute("PRAGMA busy_timeout")).rows[0]?.timeout).toBe(20);
  expect((await ours.execute("SELECT * FROM owners")).rows).toHaveLength(2);
});

test("a closed client says so, for statements that it had prepared as well", async () => {
  await ours.execute("SELECT * FROM owners");
  ours.close();
  expect(ours.closed).toBe(true);
  await expect(ours.execute("SELECT * FROM owners")).rejects.toMatchObject({ code: "CLIENT_CLOSED" });
  await expect(ours.batch(["SELECT 1"], "write")).rejects.toMatchObject({ code: "CLIENT_CLOSED" });
});

/** All that a caller can see of a result. */
function plain({ columns, columnTypes, rows, rowsAffected, lastInsertRowid }: ResultSet) {
  const seen = rows.map((row) => ({
    named: { ...row },
    values: Array.prototype.slice.call(row),
    length: row.length,
  }));
  return { columns, columnTypes, rows: seen, rowsAffected, lastInsertRowid };
}

async function refusal(client: Client, [statement]: [InStatement]) {
  try {
    await client.execute(statement);
    return { type: "none" };
  } catch (error) {
    const { code, extendedCode, rawCode } = error as Record<string, unknown>;
    return { type: (error as Error).constructor.name, code, extendedCode, rawCode };
  }
}
