import { expect, test } from "vitest";
import { allowBare, moneyOf } from "#test/support/books-of-money";
import { harness, problemOf } from "#test/support/harness";
import { inProcesses } from "#test/support/processes";
import { findSandbox } from "#worker/sandboxes/store";

const rounds = 20;

test("A17: 200 creates at once with a limit of 10 make exactly 10, twenty times over", async () => {
  const h = await harness({ maxSandboxes: 10 });
  for (let round = 0; round < rounds; round++) {
    const { tenantId, key } = await h.tenant(`round-${round}`);
    const heldBefore = h.provider.held.size;
    const answers = await Promise.all(
      Array.from({ length: 200 }, () => h.send("POST", "/v1/sandboxes", { key, json: {} })),
    );
    const made = answers.filter((answer) => answer.status === 201);
    const refused = answers.filter((answer) => answer.status === 429);
    expect([made.length, refused.length]).toEqual([10, 190]);
    const [first] = refused;
    if (!first) throw new Error("none was refused");
    const facts = { quota: "concurrentSandboxes", limit: 10, used: 10 };
    expect(await problemOf(first)).toMatchObject({ code: "quota_exceeded", facts });
    expect(h.provider.held.size - heldBefore).toBe(10);
    expect(await moneyOf(h, tenantId)).toEqual({ holds: 10, slots: 10, creates: 10 });
  }
  await h.close();
}, 240_000);

test("A17: four processes on one file together get exactly the limit, and exactly what a budget holds", async () => {
  const h = await harness({ maxSandboxes: 10 });
  const sandbox = await h.create();
  const made = await findSandbox(h.deps.db, h.tenantId, sandbox.id);
  const row = { ...made, state: "creating", startedAtMs: null };
  const accounts = [];
  for (let round = 0; round < rounds; round++) {
    const { tenantId, id: keyId } = await h.tenant(`round-${round}`);
    // Every other one has room for a hundred sandboxes, and money for ten: 13,663 micro-dollars each.
    if (round % 2 === 1) await allowBare(h, tenantId, { capMicros: 140_000 });
    accounts.push({ tenantId, keyId });
  }
  const order = { kind: "reserve", url: h.database.url, count: 50, row, accounts, code: h.host.code };
  const taken = (await inProcesses(4, order, 200_000)) as number[][];
  const sums = accounts.map((_, i) => taken.reduce((sum, counts) => sum + (counts[i] ?? 0), 0));
  expect(sums).toEqual(accounts.map(() => 10));
  for (const { tenantId } of accounts) {
    expect(await moneyOf(h, tenantId)).toEqual({ holds: 10, slots: 10, creates: 10 });
  }
  await h.close();
}, 240_000);

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
