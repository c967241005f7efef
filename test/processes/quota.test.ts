import { expect, test } from "vitest";
import { harness, problemOf } from "#test/support/harness";
import { inProcesses } from "#test/support/processes";
import { findSandbox } from "#worker/sandboxes/store";

test("200 creates at once with a limit of 10 make exactly 10", async () => {
  const h = await harness({ maxSandboxes: 10 });
  const answers = await Promise.all(
    Array.from({ length: 200 }, () => h.send("POST", "/v1/sandboxes", { key: h.key, json: {} })),
  );
  const made = answers.filter((answer) => answer.status === 201);
  const refused = answers.filter((answer) => answer.status === 429);
  expect([made.length, refused.length]).toEqual([10, 190]);
  const [first] = refused;
  if (!first) throw new Error("none was refused");
  expect(await problemOf(first)).toMatchObject({ code: "quota_exceeded", facts: { limit: 10, used: 10 } });
  expect(h.provider.held.size).toBe(10);
  expect(await h.slotsUsed()).toBe(10);
  await h.close();
});

test("four processes on one file together get exactly the limit", async () => {
  const h = await harness({ maxSandboxes: 10 });
  const sandbox = await h.create();
  await h.send("DELETE", `/v1/sandboxes/${sandbox.id}`, { key: h.key });
  const ended = await findSandbox(h.deps.db, h.tenantId, sandbox.id);
  const row = { ...ended, state: "creating", endedAtMs: null, endReason: null };
  const order = { kind: "reserve", url: h.database.url, count: 50, row, keyId: h.id, code: h.host.code };
  const taken = await inProcesses(4, order);
  expect(taken.reduce((sum: number, count) => sum + Number(count), 0)).toBe(10);
  expect(await h.slotsUsed()).toBe(10);
  await h.close();
}, 30_000);

test("one tenant's full quota is nothing to another", async () => {
  const h = await harness({ maxSandboxes: 1 });
  const other = await h.tenant("other");
  await h.create();
  const refused = await h.send("POST", "/v1/sandboxes", { key: h.key, json: {} });
  expect(refused.status).toBe(429);
  await h.create({}, other.key);
  await h.close();
});

test("an ended sandbox frees its slot", async () => {
  const h = await harness({ maxSandboxes: 1 });
  const { id } = await h.create();
  await h.send("DELETE", `/v1/sandboxes/${id}`, { key: h.key });
  await h.create();
  expect(await h.slotsUsed()).toBe(1);
  await h.close();
});
