import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getTableConfig, type SQLiteTable } from "drizzle-orm/sqlite-core";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readMigrations } from "#migrations/files";
import { type Migration, migrate, statementsOf } from "#migrations/migrate";
import { inProcesses } from "#test/support/processes";
import { guardClient } from "#worker/db/client";
import { openNodeClient } from "#worker/db/node";
import * as schema from "#worker/db/schema";

let folder: string;
let url: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sandgate-migrate-"));
  url = `file:${join(folder, "test.db")}`;
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("migrations are applied once by two processes at once", async () => {
  const applied = await inProcesses(2, { kind: "migrate", url });
  expect(applied.flat().sort()).toEqual((await readMigrations()).map((migration) => migration.name));
}, 30_000);

/** Everything there is in a database: its tables, indexes and views, and every row. */
async function dumpOf(client: Awaited<ReturnType<typeof openNodeClient>>): Promise<unknown> {
  const { rows: things } = await client.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY name");
  const tables = things.filter(({ type }) => type === "table");
  const rows = [];
  for (const { name } of tables) rows.push((await client.execute(`SELECT * FROM ${name}`)).rows);
  return JSON.parse(JSON.stringify([things, rows]));
}

test("F28: our migrations applied again change no table and no row, and an upgrade keeps what tenants have", async () => {
  const client = await openNodeClient(url);
  const all = await readMigrations();
  await migrate(client, all.slice(0, 7), 0);
  await client.execute(
    "INSERT INTO tenants (id, name, max_sandboxes, created_at_ms) VALUES ('ten_00000000000000000000', 'old', 7, 1)",
  );
  await client.execute(`INSERT INTO keys (id, tenant_id, hash, prefix, name, scopes, created_at_ms)
    VALUES ('key_00000000000000000000', 'ten_00000000000000000000', '${"0".repeat(64)}', 'p', 'k', '["exec"]', 1)`);
  expect(await migrate(client, all, 1)).toEqual(all.slice(7).map(({ name }) => name));
  const { rows } = await client.execute(
    "SELECT plan, json_extract(limits, '$.concurrentSandboxes') AS n FROM tenant_plans",
  );
  expect(rows).toEqual([{ plan: "scale", n: 7 }]);
  const before = await dumpOf(client);
  expect(await migrate(client, all, 2)).toEqual([]);
  expect(await dumpOf(client)).toEqual(before);
  client.close();
});

test("a migration that was changed after it was applied is refused", async () => {
  const client = await openNodeClient(url);
  const first = { name: "0001_a.sql", sql: "CREATE TABLE a (x INTEGER) STRICT;\n" };
  expect(await migrate(client, [first], 0)).toEqual(["0001_a.sql"]);
  expect(await migrate(client, [first], 0)).toEqual([]);
  const changed = { ...first, sql: "CREATE TABLE b (x INTEGER) STRICT;\n" };
  await expect(migrate(client, [changed], 0)).rejects.toThrow("was changed after it was applied");
  client.close();
});

test("F28: a database that a newer version has migrated is refused, and nothing is applied to it", async () => {
  const client = await openNodeClient(url);
  const [first, second, newer] = ["0001_a", "0002_b", "0003_c"].map((name) => ({
    name: `${name}.sql`,
    sql: `CREATE TABLE t${name} (x INTEGER) STRICT;\n`,
  })) as [Migration, Migration, Migration];
  await migrate(client, [first, newer], 0);
  await expect(migrate(client, [first, second], 0)).rejects.toThrow(
    /^The database is newer than this Sandgate, which does not know its migration 0003_c\.sql: .+\.$/,
  );
  const { rows } = await client.execute("SELECT name FROM migrations ORDER BY name");
  expect(rows.map(({ name }) => name)).toEqual([first.name, newer.name]);
  client.close();
});

test("a migration that fails leaves nothing of itself", async () => {
  const client = await openNodeClient(url);
  const bad = {
    name: "0001_a.sql",
    sql: "CREATE TABLE a (x INTEGER) STRICT;\nCREATE TABLE a (x INTEGER) STRICT;\n",
  };
  await expect(migrate(client, [bad], 0)).rejects.toThrow("0001_a.sql failed");
  expect(await migrate(client, [{ ...bad, sql: "CREATE TABLE a (x INTEGER) STRICT;" }], 0)).toEqual([
    bad.name,
  ]);
  client.close();
});

test("statements end with a semicolon at the end of a line, comments are no statements", () => {
  expect(statementsOf("-- a\nSELECT ';' ;\n-- only a comment;\n\nSELECT 2;")).toEqual([
    "-- a\nSELECT ';'",
    "SELECT 2",
  ]);
});

test("the drizzle schema is what the migrations make", async () => {
  const client = await openNodeClient(url);
  await migrate(guardClient(client), await readMigrations(), 0);
  const rows = async (sql: string) => (await client.execute(sql)).rows;
  const made: Record<string, unknown> = {};
  for (const { name } of await rows(
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
  )) {
    const columns = await rows(`PRAGMA table_info(${name})`);
    const indexes: unknown[] = [];
    for (const index of await rows(`PRAGMA index_list(${name})`)) {
      if (index.origin !== "c") continue;
      const of = (await rows(`PRAGMA index_info(${index.name})`)).map((column) => column.name);
      indexes.push({ name: index.name, of, unique: index.unique === 1, partial: index.partial === 1 });
    }
    made[String(name)] = {
      columns: columns
        .map((column) => ({
          name: column.name,
          type: column.type,
          notNull: column.notnull === 1,
          fallback: column.dflt_value === null ? null : String(column.dflt_value).replaceAll("'", ""),
          // Its place in the key; 0 = not in it.
          key: column.pk,
        }))
        .sort(byName),
      indexes: indexes.sort(byName),
      references: (await rows(`PRAGMA foreign_key_list(${name})`))
        .map((key) => `${key.from} -> ${key.table}.${key.to}`)
        .sort(),
    };
  }
  client.close();
  const described = Object.fromEntries(
    Object.values(schema).map((table) => [getTableConfig(table).name, describe(table)]),
  );
  expect(described).toEqual(made);
});

function describe(table: SQLiteTable) {
  const { columns, indexes, foreignKeys, primaryKeys } = getTableConfig(table);
  const keyNames = primaryKeys.flatMap((key) => key.columns.map((column) => column.name));
  return {
    columns: columns
      .map((column) => ({
        name: column.name,
        type: column.getSQLType().toUpperCase(),
        notNull: column.notNull,
        fallback: column.default === undefined ? null : String(column.mapToDriverValue(column.default)),
        key: column.primary ? 1 : keyNames.indexOf(column.name) + 1,
      }))
      .sort(byName),
    indexes: indexes
      .map(({ config }) => ({
        name: config.name,
        of: config.columns.map((column) => ("name" in column ? column.name : "an expression")),
        unique: config.unique,
        partial: config.where !== undefined,
      }))
      .sort(byName),
    references: foreignKeys
      .map((key) => key.reference())
      .map(
        (key) =>
          `${key.columns[0]?.name} -> ${getTableConfig(key.foreignTable).name}.${key.foreignColumns[0]?.name}`,
      )
      .sort(),
  };
}

function byName(a: unknown, b: unknown): number {
  const nameOf = (value: unknown) => String((value as { name: unknown }).name);
  return nameOf(a).localeCompare(nameOf(b));
}
