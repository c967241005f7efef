import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, createClient } from "@libsql/client";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { newRunId } from "#contract/ids";
import { limits } from "#contract/limits";
import { admissionOf } from "#test/support/account";
import { moneyOf } from "#test/support/books-of-money";
import { crashedCreate, hostCreateOf, placeOf } from "#test/support/crashed-create";
import { type Harness, harness, problemOf } from "#test/support/harness";
import { expectProblem } from "#test/support/problem";
import { bySystem } from "#worker/audit/store";
import { AppError } from "#worker/errors";
import { runSweep } from "#worker/jobs";
import { insertRun, type NewRun } from "#worker/runs/store";
import { sweep } from "#worker/sandboxes/sweep";

let h: Harness;
beforeEach(async () => {
  h = await harness({ maxSandboxes: 10 });
});
afterEach(() => h.close());

const post = (headers = {}) => h.send("POST", "/v1/sandboxes", { key: h.key, json: {}, headers });
const books = () => moneyOf(h, h.tenantId);
const nothing = { holds: 0, slots: 0, creates: 0 };
const one = { holds: 1, slots: 1, creates: 1 };
const pastCreates = () => h.clock.advance(limits.createDeadlineMs + limits.snapshotGraceMs);
const rowCount = async () =>
  Number((await h.database.client.execute("SELECT count(*) AS n FROM sandboxes")).rows[0]?.n);

describe("F3: a crash between the batch and the host", () => {
  test("gives all back once the host is known not to have it, and once only", async () => {
    await crashedCreate(h);
    expect(await books()).toEqual(one);
    pastCreates();
    await Promise.all([h.heartbeat(), h.heartbeat()]);
    expect(await books()).toEqual(nothing);
    await h.heartbeat();
    expect(await books()).toEqual(nothing);
  });

  test("after the host has made it keeps the hold until its events are here, and frees the slot", async () => {
    const row = await crashedCreate(h);
    await h.provider.create(placeOf(row), hostCreateOf(row));
    const end = await h.provider.kill(placeOf(row), 1);
    if (!end) throw new Error("not killed");
    await h.heartbeat({ ended: [end] });
    expect(await books()).toEqual({ holds: 1, slots: 0, creates: 1 });
  });

  test("with an outcome that nobody knows keeps all of it until the host has said", async () => {
    h.provider.failNext(
      "create",
      new AppError("host_unreachable", "The host gives no answer.", { isOutcomeUnknown: true }),
    );
    await expectProblem(await post(), 503, "host_unreachable");
    expect(await books()).toEqual(one);
    pastCreates();
    await h.heartbeat();
    expect(await books()).toEqual(nothing);
  });

  test("on a host that never comes back frees the slot at the deadline", async () => {
    await crashedCreate(h);
    h.clock.advance(900_000 + limits.reservationGraceMs + 1);
    await sweep(h.deps);
    expect(await books()).toEqual({ holds: 1, slots: 0, creates: 1 });
  });

  test("of a queued run gives all back with the run", async () => {
    const createdAtMs = h.clock.now();
    const run: NewRun = {
      id: newRunId(),
      template: "base",
      cpu: 1,
      memoryMiB: 256,
      timeoutMs: 1_000,
      metadata: {},
      createdAtMs,
      deadlineAtMs: createdAtMs + 90_000,
    };
    const queued = { admission: admissionOf(h, run), by: bySystem };
    expect(await insertRun(h.deps.db, h.tenantId, run, queued)).toBe(true);
    expect(await books()).toEqual(one);
    h.clock.advance(90_001);
    await Promise.all([runSweep(h.deps), runSweep(h.deps)]);
    expect(await books()).toEqual(nothing);
  });

  test("holds that nobody stands behind any more are settled by the sweep", async () => {
    await crashedCreate(h);
    await h.database.client.execute("DELETE FROM sandboxes");
    h.clock.advance(900_000 + limits.reservationGraceMs + 1);
    expect(await sweep(h.deps)).toMatchObject({ released: 1, orphaned: 1 });
    expect(await books()).toEqual({ holds: 0, slots: 0, creates: 1 });
  });
});

test("a sandbox that moves from a full host to the next takes its one hold along", async () => {
  await h.close();
  h = await harness({ hosts: 2 });
  h.provider.failNext("create", new AppError("no_capacity", "The host is full."));
  const { id } = await h.create();
  expect(await books()).toEqual(one);
  const { rows } = await h.database.client.execute("SELECT sandbox_id FROM holds");
  expect(rows).toEqual([{ sandbox_id: id }]);
});

test("F10: with the database away nothing is made, and nothing is left half done", async () => {
  await h.create();
  h.database.beAwayFor(1, /INSERT INTO holds/);
  await expectProblem(await post(), 503, "unavailable");
  expect([await books(), h.provider.held.size, await rowCount()]).toEqual([one, 1, 1]);
  expect((await post()).status).toBe(201);
});

/** The next batch is carried out, and its answer is lost on the way. */
function loseNextAnswer(client: Client): void {
  const batch = client.batch;
  client.batch = async (...args) => {
    client.batch = batch;
    await batch(...args);
    throw Object.assign(new Error("late"), { code: "SERVER_ERROR" });
  };
}

test("F11: a write whose answer is lost is resolved by its id, and makes no second row", async () => {
  await h.create();
  await h.settled();
  loseNextAnswer(h.database.client);
  await expectProblem(await post(), 503, "unavailable");
  expect(await books()).toEqual({ holds: 2, slots: 2, creates: 2 });
  expect(h.provider.held.size).toBe(1);
  pastCreates();
  await h.heartbeat();
  expect([await books(), await rowCount()]).toEqual([one, 2]);
});

test("F12: a database that somebody has locked is waited for, then given up, and counts stay exact", async () => {
  await h.create();
  await h.settled();
  const other = createClient({ url: h.database.url, concurrency: 1 });
  const lock = await other.transaction("write");
  await expectProblem(await post(), 503, "unavailable");
  const waiting = post();
  setTimeout(() => void lock.commit(), 200);
  expect((await waiting).status).toBe(201);
  expect(await books()).toEqual({ holds: 2, slots: 2, creates: 2 });
  other.close();
}, 30_000);

test("F13: a stale replica behind every read lets nobody past the limit, and no refusal says that there is room", async () => {
  const path = join(tmpdir(), `sandgate-replica-${process.pid}-${Date.now()}.db`);
  await h.create();
  await h.settled();
  await h.database.client.execute(`VACUUM INTO '${path}'`);
  const replica = createClient({ url: `file:${path}`, concurrency: 1 });
  const { client } = h.database;
  const execute = client.execute;
  const isRead = (of: unknown) =>
    /^\s*select/i.test(typeof of === "string" ? of : String((of as { sql: string }).sql));
  client.execute = ((...args: Parameters<Client["execute"]>) =>
    isRead(args[0]) ? replica.execute(...args) : execute(...args)) as Client["execute"];
  try {
    const answers = [];
    for (let i = 0; i < 12; i++) answers.push(await post());
    expect(answers.map(({ status }) => status)).toEqual([...Array(9).fill(201), 409, 409, 409]);
    const last = answers.at(-1);
    expect(last && (await problemOf(last)).code).toBe("conflict");
  } finally {
    client.execute = execute;
    replica.close();
    rmSync(path, { force: true });
  }
  expect([await h.slotsUsed(), h.provider.held.size]).toEqual([10, 10]);
});

test("an admission is one write batch, before any host is asked", async () => {
  await h.create();
  await h.settled();
  const { client } = h.database;
  const batch = client.batch;
  const seen: { holds: boolean; asked: number }[] = [];
  client.batch = (...args) => {
    const holds = JSON.stringify(args[0]).includes("INSERT INTO holds");
    seen.push({ holds, asked: h.provider.calls.length });
    expect(args[1]).toBe("write");
    return batch(...args);
  };
  h.database.takeCount();
  const asked = h.provider.calls.length;
  expect((await post()).status).toBe(201);
  client.batch = batch;
  expect(seen).toEqual([{ holds: true, asked }]);
});
