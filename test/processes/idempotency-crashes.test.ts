import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { newSandboxId, type SandboxId } from "#contract/ids";
import { limits } from "#contract/limits";
import { takingOf } from "#test/support/account";
import { type Harness, harness, problemOf } from "#test/support/harness";
import { expectProblem } from "#test/support/problem";
import { AppError } from "#worker/errors";
import { claimRider } from "#worker/idempotency/store";
import { insertReserved } from "#worker/sandboxes/insert-store";
import { findSandbox, markRunning } from "#worker/sandboxes/store";

let h: Harness;
beforeEach(async () => {
  h = await harness({ maxSandboxes: 5 });
});
afterEach(() => h.close());

const post = (idempotencyKey: string, json: unknown = {}, key = h.key) =>
  h.send("POST", "/v1/sandboxes", { key, json, headers: { "idempotency-key": idempotencyKey } });
const idOf = async (response: Response) => ((await response.json()) as { id: SandboxId }).id;
const isReplayed = (response: Response) => response.headers.get("idempotency-replayed") === "true";
const leaseMs = limits.createDeadlineMs + limits.idempotencyGraceMs;

test("an answer that cannot be kept is given all the same, and a repetition finds the sandbox", async () => {
  h.database.beAwayFor(1, /UPDATE idempotency SET status/);
  const first = await post("k");
  expect(first.status).toBe(201);
  await h.settled();
  h.clock.advance(leaseMs);
  const again = await post("k");
  expect([again.status, isReplayed(again), await idOf(again)]).toEqual([201, true, await idOf(first)]);
});

test("a record that cannot be let go blocks its key until the lease is over, and no longer", async () => {
  h.provider.failNext("create", new AppError("no_capacity", "full"));
  h.database.beAwayFor(1, /^\[\{"sql":"DELETE FROM idempotency/);
  await expectProblem(await post("k"), 503, "no_capacity");
  await expectProblem(await post("k"), 409, "idempotency_conflict");
  h.clock.advance(leaseMs);
  await h.heartbeat();
  expect((await post("k")).status).toBe(201);
  expect(await h.slotsUsed()).toBe(1);
});

describe("the process dies between the batch and the answer", () => {
  /** The batch of a create whose process is gone. */
  async function crashed(idempotencyKey: string): Promise<SandboxId> {
    // The names that `once` would give: taken from a real request, whose sandbox is then forgotten.
    const made = await idOf(await post(idempotencyKey));
    await h.settled();
    const row = await findSandbox(h.deps.db, h.tenantId, made);
    const [record] = (await h.database.client.execute("SELECT * FROM idempotency")).rows;
    if (!row || !record) throw new Error("nothing was made");
    await h.send("DELETE", `/v1/sandboxes/${made}`, { key: h.key });
    await h.database.client.execute("DELETE FROM idempotency");
    const nowMs = h.clock.now();
    const rider = claimRider<SandboxId>(h.deps.db, h.tenantId, {
      id: String(record.id),
      fingerprint: String(record.fingerprint),
      owner: "dead",
      takesOver: null,
      nowMs,
      leaseUntilMs: nowMs + leaseMs,
      forgottenBeforeMs: 0,
    });
    const left = { ...row, id: newSandboxId(h.host.code), state: "creating" as const, startedAtMs: null };
    expect(await insertReserved(h.deps.db, h.tenantId, left, { ...takingOf(h), rider })).toBe(true);
    return left.id;
  }

  test("within the lease a repetition is told to come back", async () => {
    await crashed("k");
    await expectProblem(await post("k"), 409, "idempotency_conflict");
  });

  test("after it, the sandbox that its host has confirmed is the answer, once and for all", async () => {
    const id = await crashed("k");
    await markRunning(h.deps.db, h.tenantId, [id], h.clock.now());
    h.clock.advance(leaseMs);
    const answers = await Promise.all(Array.from({ length: 10 }, () => post("k")));
    expect(new Set(await Promise.all(answers.map(idOf)))).toEqual(new Set([id]));
    expect(answers.every((answer) => answer.status === 201 && isReplayed(answer))).toBe(true);
    expect(await h.slotsUsed()).toBe(1);
  });

  test("after it, one that was never confirmed is given up, and one other is made", async () => {
    const dead = await crashed("k");
    h.clock.advance(leaseMs);
    await h.heartbeat();
    const answers = await Promise.all(Array.from({ length: 10 }, () => post("k")));
    const ids = new Set(await Promise.all(answers.map(idOf)));
    expect([ids.size, ids.has(dead)]).toEqual([1, false]);
    expect((await h.read(dead)).state).not.toBe("running");
    await h.heartbeat();
    expect(await h.slotsUsed()).toBe(1);
  });

  test("another body stays refused", async () => {
    await crashed("k");
    h.clock.advance(leaseMs);
    expect((await problemOf(await post("k", { cpu: 2 }))).code).toBe("idempotency_mismatch");
  });
});
