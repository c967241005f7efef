import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SandboxBatch } from "#contract/sandbox-batch";
import { type Harness, harness, problemOf } from "#test/support/harness";
import { expectProblem } from "#test/support/problem";
import { AppError } from "#worker/errors";

let h: Harness;
beforeEach(async () => {
  h = await harness({ maxSandboxes: 10 });
});
afterEach(() => h.close());

const post = (json: unknown, headers: Record<string, string> = {}) =>
  h.send("POST", "/v1/sandboxes/batch", { key: h.key, json, headers });
const keyed = (json: unknown) => post(json, { "idempotency-key": "k" });
const batchOf = async (response: Response) => SandboxBatch.parse(await response.json());
const idsOf = ({ items }: SandboxBatch) => items.flatMap(({ sandbox }) => (sandbox ? [sandbox.id] : []));
const full = () => new AppError("no_capacity", "full");

test("a batch makes as many as it is asked for, each its own, all of one kind", async () => {
  const response = await post({
    count: 5,
    template: "python",
    metadata: { a: "é\u0001" },
    cpu: 0.5,
    pids: 99,
  });
  expect(response.status).toBe(201);
  const batch = await batchOf(response);
  expect([batch.created, batch.failed, new Set(idsOf(batch)).size]).toEqual([5, 0, 5]);
  await h.settled();
  for (const { sandbox } of batch.items) {
    expect(sandbox).toMatchObject({
      state: "running",
      template: "base",
      cpu: 0.5,
      metadata: { a: "é\u0001" },
    });
    expect(await h.read(sandbox?.id ?? "")).toEqual(sandbox);
  }
  expect(await h.slotsUsed()).toBe(5);
});

test("a batch of a hundred costs two statements of the database, whatever its size", async () => {
  await h.close();
  h = await harness({ maxSandboxes: 100 });
  await h.create();
  h.database.takeCount();
  const refused = await post({ count: 100 });
  await expectProblem(refused, 429, "quota_exceeded");
  h.database.takeCount();
  const batch = await batchOf(await post({ count: 99 }));
  await h.settled();
  expect([batch.created, h.database.takeCount(), await h.slotsUsed()]).toEqual([99, 2, 100]);
});

test("the quota holds for all of a batch or for none of it, also when batches come at once", async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, () => post({ count: 3 })));
  const made = answers.filter(({ status }) => status === 201);
  expect([made.length, await h.slotsUsed(), h.provider.held.size]).toEqual([3, 9, 9]);
  const refused = await problemOf(answers.find(({ status }) => status === 429) as Response);
  expect(refused).toMatchObject({ code: "quota_exceeded", facts: { limit: 10, used: 9, asked: 3 } });
});

test("what fails, fails alone: the answer says which and why, and its slot is free again", async () => {
  h.provider.failNext("create", full());
  h.provider.failNext("create", new Error("dial unix docker.sock"));
  const response = await post({ count: 4 });
  expect(response.status).toBe(207);
  const text = await response.clone().text();
  expect(text).not.toContain("docker.sock");
  const batch = await batchOf(response);
  expect(batch).toMatchObject({ created: 2, failed: 2 });
  expect(batch.items.map(({ error }) => error?.code)).toEqual(
    expect.arrayContaining(["no_capacity", "internal", undefined, undefined]),
  );
  expect(batch.items.map(({ error }) => error?.status)).toEqual(expect.arrayContaining([503, 500]));
  await h.settled();
  expect(await h.slotsUsed()).toBe(2);
  expect(h.events.some((event) => JSON.stringify(event).includes("docker.sock"))).toBe(true);
});

test("a batch of which nothing could be made is refused as one sandbox would be, and holds nothing", async () => {
  h.provider.capacity = 0;
  const response = await post({ count: 4 });
  await expectProblem(response, 503, "no_capacity");
  expect(await h.slotsUsed()).toBe(0);
});

test("a batch is spread over the hosts, and moves on where one is full", async () => {
  await h.close();
  h = await harness({ hosts: 3, maxSandboxes: 30 });
  h.provider.failNext("create", full());
  h.provider.failNext("create", full());
  const batch = await batchOf(await post({ count: 30 }));
  expect(batch).toMatchObject({ created: 30, failed: 0 });
  const perHost = h.hosts.map(({ hostId }) => h.provider.liveOn(hostId).length);
  for (const count of perHost) expect(count).toBeGreaterThan(3);
  expect(await h.slotsUsed()).toBe(30);
});

test.each([0, 101, 1.5, "3", undefined])("a count of %s is refused", async (count) => {
  const response = await post({ count });
  await expectProblem(response, 400, "invalid_request");
});

test("without a host there is no batch, and nothing is reserved", async () => {
  h.clock.advance(60_000);
  await expectProblem(await post({ count: 2 }), 503, "no_capacity");
  expect((await h.database.client.execute("SELECT id FROM sandboxes")).rows).toEqual([]);
});

describe("with an Idempotency-Key", () => {
  test("a repetition gets the same answer, also a partial one", async () => {
    h.provider.failNext("create", full());
    const first = await keyed({ count: 3 });
    const again = await keyed({ count: 3 });
    expect([first.status, again.status, again.headers.get("idempotency-replayed")]).toEqual([
      207,
      207,
      "true",
    ]);
    expect(await again.json()).toEqual(await first.json());
    expect(h.provider.held.size).toBe(2);
    await expectProblem(await keyed({ count: 4 }), 422, "idempotency_mismatch");
  });

  test("ten at once make one batch", async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => keyed({ count: 3 })));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
    const bodies = new Set(await Promise.all(answers.map((answer) => answer.text())));
    expect([bodies.size, h.provider.held.size, await h.slotsUsed()]).toEqual([1, 3, 3]);
  });

  test("one that made nothing may be sent again", async () => {
    h.provider.capacity = 0;
    await expectProblem(await keyed({ count: 3 }), 503, "no_capacity");
    h.provider.capacity = 10;
    expect((await keyed({ count: 3 })).status).toBe(201);
    expect(await h.slotsUsed()).toBe(3);
  });

  test("the record follows a sandbox that was moved to another host", async () => {
    await h.close();
    h = await harness({ hosts: 2 });
    h.provider.failNext("create", full());
    const ids = idsOf(await batchOf(await keyed({ count: 3 })));
    const [record] = (await h.database.client.execute("SELECT resource_id FROM idempotency")).rows;
    expect(JSON.parse(String(record?.resource_id)).sort()).toEqual([...ids].sort());
  });
});
