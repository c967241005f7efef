import { afterEach, beforeEach, expect, test } from "vitest";
import type { SandboxId } from "#contract/ids";
import { limits } from "#contract/limits";
import { SandboxBatch } from "#contract/sandbox-batch";
import { takingOf } from "#test/support/account";
import { creatingRow } from "#test/support/crashed-create";
import { type Harness, harness } from "#test/support/harness";
import { expectProblem } from "#test/support/problem";
import { claimRider } from "#worker/idempotency/store";
import { insertAllReserved } from "#worker/sandboxes/insert-store";
import { findSandbox, markRunning, type SandboxRow } from "#worker/sandboxes/store";
import { sweep } from "#worker/sandboxes/sweep";

let h: Harness;
beforeEach(async () => {
  h = await harness({ maxSandboxes: 10 });
});
afterEach(() => h.close());

const leaseMs = limits.createDeadlineMs + limits.idempotencyGraceMs;
const keyed = (json: unknown) =>
  h.send("POST", "/v1/sandboxes/batch", { key: h.key, json, headers: { "idempotency-key": "k" } });
const batchOf = async (response: Response) => SandboxBatch.parse(await response.json());
const idsOf = ({ items }: SandboxBatch) => items.flatMap(({ sandbox }) => (sandbox ? [sandbox.id] : []));

/** What a batch of three leaves between its reservation and the hosts; with the names of a real key where one is told. */
async function crashed(names?: { id: string; fingerprint: string }): Promise<SandboxRow[]> {
  const nowMs = h.clock.now();
  const rows = [1, 2, 3].map(() => creatingRow(h));
  const claim = {
    owner: "dead",
    takesOver: null,
    nowMs,
    leaseUntilMs: nowMs + leaseMs,
    forgottenBeforeMs: 0,
  };
  const rider = names && claimRider<string>(h.deps.db, h.tenantId, { ...names, ...claim });
  expect(await insertAllReserved(h.deps.db, h.tenantId, rows, { ...takingOf(h), rider })).toBe(true);
  return rows;
}
/** The names under which a batch of three with the key is remembered. */
async function namesOfKey(): Promise<{ id: string; fingerprint: string }> {
  for (const id of idsOf(await batchOf(await keyed({ count: 3 })))) {
    await h.send("DELETE", `/v1/sandboxes/${id}`, { key: h.key });
  }
  await h.settled();
  const [record] = (await h.database.client.execute("SELECT id, fingerprint FROM idempotency")).rows;
  await h.database.client.execute("DELETE FROM idempotency");
  return { id: String(record?.id), fingerprint: String(record?.fingerprint) };
}
const stateOf = async (id: SandboxId) => (await findSandbox(h.deps.db, h.tenantId, id))?.state;

test("the process dies before any host is asked: all rows end once the host is seen without them", async () => {
  const rows = await crashed();
  expect(await h.slotsUsed()).toBe(3);
  h.clock.advance(limits.createDeadlineMs + limits.snapshotGraceMs);
  await h.heartbeat();
  for (const { id } of rows) expect(await stateOf(id)).toBe("ended");
  expect(await h.slotsUsed()).toBe(0);
});

test("the process dies halfway: what the host has made goes on, the others end", async () => {
  const [made, ...others] = await crashed();
  if (!made) throw new Error("no row");
  const place = { tenantId: h.tenantId, sandboxId: made.id, hostId: made.hostId, url: "" };
  await h.provider.create(place, { ...made, sandboxId: made.id, env: {} });
  h.clock.advance(limits.createDeadlineMs + limits.snapshotGraceMs);
  await h.heartbeat();
  expect(await stateOf(made.id)).toBe("running");
  for (const { id } of others) expect(await stateOf(id)).toBe("ended");
  expect(await h.slotsUsed()).toBe(1);
});

test("the process dies and the host never comes back: the sweep ends them at their deadline", async () => {
  await crashed();
  h.clock.advance(900_000 + limits.reservationGraceMs + 1);
  expect(await sweep(h.deps)).toEqual({ ended: 3, released: 0, orphaned: 0 });
  expect(await h.slotsUsed()).toBe(0);
});

test("the process dies, with a key: a repetition after the lease gets those that were confirmed, and which were not", async () => {
  const names = await namesOfKey();
  const rows = await crashed(names);
  const confirmed = rows.slice(1).map(({ id }) => id);
  await markRunning(h.deps.db, h.tenantId, confirmed, h.clock.now());
  await expectProblem(await keyed({ count: 3 }), 409, "idempotency_conflict");
  h.clock.advance(leaseMs);
  const answers = await Promise.all([keyed({ count: 3 }), keyed({ count: 3 })]);
  for (const answer of answers) {
    expect([answer.status, answer.headers.get("idempotency-replayed")]).toEqual([207, "true"]);
    const batch = await batchOf(answer);
    expect([idsOf(batch), batch.items[0]?.error?.code]).toEqual([confirmed, "unavailable"]);
  }
  expect(await Promise.all(rows.map(({ id }) => stateOf(id)))).toEqual(["ending", "running", "running"]);
  await h.heartbeat({
    live: confirmed.map((id) => ({ sandboxId: id, generation: 1, expiresAtMs: rows[0]?.expiresAtMs ?? 0 })),
  });
  expect(await h.slotsUsed()).toBe(2);
});

test("the process dies, with a key and nothing confirmed: all are given up, and one other batch is made", async () => {
  const rows = await crashed(await namesOfKey());
  h.clock.advance(leaseMs);
  await h.heartbeat();
  const answers = await Promise.all([1, 2, 3, 4].map(() => keyed({ count: 3 })));
  const bodies = new Set(await Promise.all(answers.map((answer) => answer.text())));
  expect([bodies.size, answers[0]?.status]).toEqual([1, 201]);
  await h.heartbeat();
  for (const { id } of rows) expect(await stateOf(id)).toBe("ended");
  expect(await h.slotsUsed()).toBe(3);
});
