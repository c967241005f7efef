import { join } from "node:path";
import { createClient } from "@libsql/client";
import { afterEach, beforeEach, expect, test } from "vitest";
import { scratchFolder } from "#test/support/machine";
import { type HranaServer, startHrana } from "../../scripts/edge/hrana/server.ts";

const token = "a token for tests";
let folder: ReturnType<typeof scratchFolder>;
let server: HranaServer;

beforeEach(async () => {
  folder = scratchFolder();
  server = await startHrana({ path: join(folder.path, "test.db"), token });
  await client().executeMultiple(
    "CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;",
  );
});
afterEach(async () => {
  await server.close();
  folder.dispose();
});

type Row = { type: string; value: string }[];
type Result = { rows: Row[]; step_results: unknown[]; step_errors: unknown[] };
type Answer = { baton: string | null; results: { type: string; response: { result: Result } }[] };

const client = () => createClient({ url: server.url, authToken: token, intMode: "bigint" });
async function pipeline(version: "v2" | "v3", body: unknown, authorization = `Bearer ${token}`) {
  const init = { method: "POST", body: JSON.stringify(body), headers: { authorization } };
  const response = await fetch(`${server.url}/${version}/pipeline`, init);
  return { status: response.status, json: (await response.json()) as Answer };
}
const execute = (sql: string) => ({ type: "execute", stmt: { sql } });

test("values of every kind come back as they went in", async () => {
  const args = [2n ** 62n, 1.5, "text \u{1f600}", null, new Uint8Array([0, 255]).buffer];
  const { rows } = await client().execute({ sql: "SELECT ? AS a, ? AS b, ? AS c, ? AS d, ? AS e", args });
  expect(Object.values(rows[0] ?? {})).toEqual(args);
  const named = await client().execute({ sql: "SELECT :a AS a", args: { a: 1 } });
  expect(named.rows[0]).toMatchObject({ a: 1 });
});

test("a write says how many rows it changed, also when it returns them", async () => {
  const written = await client().execute("INSERT INTO counters VALUES ('a', 1), ('b', 2)");
  expect(written.rowsAffected).toBe(2);
  const returned = await client().execute("UPDATE counters SET value = 3 RETURNING name");
  expect([returned.rowsAffected, returned.rows.length]).toEqual([2, 2]);
});

test("a batch is all or nothing, and names the fault", async () => {
  const statements = ["INSERT INTO counters VALUES ('a', 1)", "INSERT INTO counters VALUES ('a', 2)"];
  await expect(client().batch(statements, "write")).rejects.toMatchObject({
    code: expect.stringMatching(/^SQLITE_CONSTRAINT/),
  });
  expect((await client().execute("SELECT count(*) AS n FROM counters")).rows[0]).toMatchObject({ n: 0n });
});

test.each(["v2", "v3"] as const)("conditions of a %s batch decide which steps run", async (version) => {
  const step = (sql: string, condition?: unknown) => ({ stmt: { sql }, condition });
  const ok = (index: number) => ({ type: "ok", step: index });
  const steps = [
    step("SELECT 1"),
    step("SELECT nonsense"),
    step("SELECT 2", { type: "and", conds: [ok(0), { type: "error", step: 1 }] }),
    step("SELECT 3", { type: "or", conds: [ok(1), { type: "not", cond: ok(0) }] }),
    step("SELECT 4", { type: "is_autocommit" }),
  ];
  const { json } = await pipeline(version, {
    requests: [{ type: "batch", batch: { steps } }, { type: "close" }],
  });
  const { step_results, step_errors } = json.results[0]?.response.result ?? {};
  expect(step_results?.map((result) => result !== null)).toEqual([true, false, true, false, true]);
  expect(step_errors?.map((error) => error !== null)).toEqual([false, true, false, false, false]);
});

test("a stored text stands for its statement until its stream is closed", async () => {
  const first = await pipeline("v2", { requests: [{ type: "store_sql", sql_id: 1, sql: "SELECT 7 AS n" }] });
  const { baton } = first.json;
  expect(baton).toEqual(expect.any(String));
  const requests = [{ type: "execute", stmt: { sql_id: 1 } }, { type: "close" }];
  const second = await pipeline("v2", { baton, requests });
  expect(second.json.results[0]?.response.result.rows).toEqual([[{ type: "integer", value: "7" }]]);
  expect(second.json.baton).toBeNull();
  expect((await pipeline("v2", { baton, requests: [] })).status).toBe(400);
});

test("transactions of many clients take turns and lose nothing", async () => {
  await client().execute("INSERT INTO counters VALUES ('a', 0)");
  const addOne = async () => {
    const transaction = await client().transaction("write");
    const { rows } = await transaction.execute("SELECT value FROM counters");
    await transaction.execute({ sql: "UPDATE counters SET value = ?", args: [Number(rows[0]?.value) + 1] });
    await transaction.commit();
  };
  await Promise.all(Array.from({ length: 20 }, addOne));
  expect((await client().execute("SELECT value FROM counters")).rows[0]).toMatchObject({ value: 20n });
  expect(server.openStreams()).toBe(0);
});

test("a transaction that its client forgot is rolled back, and the next writer gets its turn", async () => {
  await server.close();
  server = await startHrana({ path: join(folder.path, "test.db"), token, idleMs: 150 });
  const requests = [execute("BEGIN IMMEDIATE"), execute("INSERT INTO counters VALUES ('lost', 1)")];
  await pipeline("v3", { requests });
  expect((await client().execute("SELECT count(*) AS n FROM counters")).rows[0]).toMatchObject({ n: 0n });
  await client().execute("INSERT INTO counters VALUES ('kept', 1)");
  expect((await client().execute("SELECT name FROM counters")).rows).toMatchObject([{ name: "kept" }]);
  expect(server.openStreams()).toBe(0);
});

test("without the token nothing is answered but that one is needed", async () => {
  for (const authorization of ["", "Bearer wrong", token]) {
    expect((await pipeline("v2", { requests: [execute("SELECT 1")] }, authorization)).status).toBe(401);
  }
});

test("what is no pipeline is refused, and a faulty statement fails alone", async () => {
  expect((await pipeline("v2", { requests: [{ type: "dance" }] })).status).toBe(400);
  const { json } = await pipeline("v2", { requests: [execute("SELECT nonsense"), execute("SELECT 1")] });
  expect(json.results.map((result) => result.type)).toEqual(["error", "ok"]);
});
