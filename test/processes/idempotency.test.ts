import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { SandboxId } from "#contract/ids";
import { limits } from "#contract/limits";
import { gate } from "#test/fakes/gate";
import { type Harness, harness } from "#test/support/harness";
import { expectProblem } from "#test/support/problem";
import { inProcesses } from "#test/support/processes";
import { AppError } from "#worker/errors";
import { runSweep } from "#worker/jobs";

let h: Harness;
beforeEach(async () => {
  h = await harness({ maxSandboxes: 5 });
});
afterEach(() => h.close());

const post = (idempotencyKey: string, json: unknown = {}, key = h.key) =>
  h.send("POST", "/v1/sandboxes", { key, json, headers: { "idempotency-key": idempotencyKey } });
const idOf = async (response: Response) => ((await response.json()) as { id: SandboxId }).id;
const isReplayed = (response: Response) => response.headers.get("idempotency-replayed") === "true";
const count = async (sql: string) => Number((await h.database.client.execute(sql)).rows[0]?.n);
const records = () => count("SELECT count(*) n FROM idempotency");

test("A14: one key sent 20 times at once makes one sandbox, and all get the same answer", async () => {
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => post("k", { metadata: { b: "1", a: "2" } })),
  );
  const bodies = new Set(await Promise.all(answers.map((answer) => answer.text())));
  expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([201]));
  expect(bodies.size).toBe(1);
  expect(answers.filter(isReplayed)).toHaveLength(19);
  expect([h.provider.held.size, await h.slotsUsed()]).toEqual([1, 1]);
});

test("A14: four processes on one file with the same keys together make one sandbox per key", async () => {
  const keys = Array.from({ length: 5 }, (_, i) => `key-${i}`);
  const { url } = h.database;
  const order = { kind: "once", url, nowMs: h.clock.now(), key: h.key, keys: [...keys, ...keys] };
  const answered = (await inProcesses(4, order)) as { key: string; status: number; id: string }[][];
  const answers = answered.flat();
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
  expect(new Set(answers.map(({ key, id }) => `${key} ${id}`)).size).toBe(keys.length);
  expect(await h.slotsUsed()).toBe(keys.length);
  expect(await count("SELECT count(*) n FROM sandboxes")).toBe(keys.length);
}, 30_000);

test("A14: while the first is under way the others are told to come back, and then get its answer", async () => {
  const host = gate();
  h.provider.holdNext("create", host.opened);
  const first = post("slow");
  const second = await post("slow");
  expect(second.headers.get("retry-after")).toBe("1");
  await expectProblem(second, 409, "idempotency_conflict");
  host.open();
  const made = await first;
  const third = await post("slow");
  expect([made.status, third.status, isReplayed(made), isReplayed(third)]).toEqual([201, 201, false, true]);
  expect(await third.text()).toBe(await made.text());
});

test("A15: another body is refused; another order of names and white space is the same body", async () => {
  const id = await idOf(await post("k", { cpu: 1, metadata: { a: "1", b: "2" } }));
  await expectProblem(await post("k", { cpu: 2 }), 422, "idempotency_mismatch");
  const body = '{ "metadata": {"b":"2",\n"a":"1"}, "cpu": 1.0 }';
  const headers = { "idempotency-key": "k", "content-type": "application/json" };
  const same = await h.send("POST", "/v1/sandboxes", { key: h.key, body, headers });
  expect([same.status, await idOf(same)]).toEqual([201, id]);
  expect(h.provider.held.size).toBe(1);
});

test("A15: of two bodies sent at once under one key, one is made and one is refused", async () => {
  const answers = await Promise.all([post("k", { cpu: 1 }), post("k", { cpu: 2 })]);
  expect(answers.map((answer) => answer.status).sort()).toEqual([201, 422]);
  expect(h.provider.held.size).toBe(1);
});

test("A15: another tenant's key of the same name is another key", async () => {
  const other = await h.tenant("other");
  const [mine, theirs] = [await post("k"), await post("k", {}, other.key)];
  expect([mine.status, theirs.status, isReplayed(theirs)]).toEqual([201, 201, false]);
  expect(await idOf(mine)).not.toBe(await idOf(theirs));
});

test.each([
  ["empty", ""],
  ["256 characters", "x".repeat(256)],
  ["not ASCII", "cl\u00e9"],
  ["a tab", "a\tb"],
])("A16: a key that is %s is refused", async (_what, key) => {
  const problem = await expectProblem(await post(key), 400, "invalid_request");
  expect(problem.issues?.[0]?.path).toBe("Idempotency-Key");
  expect(h.provider.calls).toEqual([]);
});

test("A16: 255 characters of printable ASCII are a key", async () => {
  const key = `!${" ~".repeat(127)}`;
  expect([(await post(key)).status, isReplayed(await post(key))]).toEqual([201, true]);
});

test("without a key every request makes its own", async () => {
  expect((await h.create()).id).not.toBe((await h.create()).id);
  expect(await records()).toBe(0);
});

test("a create with a key costs a read, one batched write, and the write that keeps its answer", async () => {
  await post("warm");
  await h.settled();
  h.database.takeCount();
  await post("k");
  await h.settled();
  // The fourth statement is `running`, which no answer waits for.
  expect(h.database.takeCount()).toBe(4);
});

test("nothing of the request is kept but keyed hashes: no env, no key", async () => {
  await post("canary-key", { env: { TOKEN: "canary-env" }, metadata: { m: "1" } });
  const dump = JSON.stringify((await h.database.client.execute("SELECT * FROM idempotency")).rows);
  expect(dump).not.toContain("canary");
});

describe("what made nothing is not kept", () => {
  test.each([
    ["a full quota", async () => void (await Promise.all([1, 2, 3, 4, 5].map(() => h.create())))],
    ["full hosts", async () => void h.provider.failNext("create", new AppError("no_capacity", "full"))],
    ["a fault of ours", async () => h.provider.failNext("create", new Error("boom"))],
    [
      "a host that said nothing",
      async () => {
        const error = new AppError("host_unreachable", "No answer.", { isOutcomeUnknown: true });
        h.provider.failNext("create", error);
      },
    ],
  ])("%s", async (_what, prepare) => {
    await prepare();
    const refused = await post("k");
    expect([refused.status >= 429, isReplayed(refused)]).toEqual([true, false]);
    expect(await records()).toBe(0);
    for (const { id } of await listed()) await h.send("DELETE", `/v1/sandboxes/${id}`, { key: h.key });
    const made = await post("k");
    expect([made.status, isReplayed(made)]).toEqual([201, false]);
  });
  const listed = async () => {
    const page = await h.send("GET", "/v1/sandboxes?state=running", { key: h.key });
    return ((await page.json()) as { items: { id: string }[] }).items;
  };
});

test("a key follows its sandbox from a full host to the next", async () => {
  await h.close();
  h = await harness({ hosts: 2 });
  h.provider.failNext("create", new AppError("no_capacity", "full"));
  const id = await idOf(await post("k"));
  const kept = await h.database.client.execute("SELECT resource_id id, status FROM idempotency");
  expect(kept.rows[0]).toMatchObject({ id, status: 201 });
});

test("a key is forgotten after 24 hours, and its record is swept", async () => {
  const id = await idOf(await post("k"));
  h.clock.advance(limits.idempotencyKeptMs);
  await h.heartbeat();
  const again = await post("k", { cpu: 2 });
  expect([again.status, isReplayed(again)]).toEqual([201, false]);
  expect(await idOf(again)).not.toBe(id);
  await runSweep(h.deps);
  expect(await records()).toBe(1);
  h.clock.advance(limits.idempotencyKeptMs);
  await runSweep(h.deps);
  expect(await records()).toBe(0);
});
