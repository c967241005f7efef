import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { limits } from "#contract/limits";
import { crashedCreate, hostCreateOf, placeOf } from "#test/support/crashed-create";
import { type Harness, harness, problemOf } from "#test/support/harness";
import { bySystem } from "#worker/audit/store";
import { AppError } from "#worker/errors";
import { endSandbox, markEnding } from "#worker/sandboxes/store";
import { sweep } from "#worker/sandboxes/sweep";

let h: Harness;
beforeEach(async () => {
  h = await harness({ maxSandboxes: 2 });
});
afterEach(() => h.close());

const done = () => ({ by: bySystem, nowMs: h.clock.now() });
const killed = () => ({ ...done(), reason: "killed" as const });
const unknownOutcome = () => new AppError("host_unreachable", "No answer.", { isOutcomeUnknown: true });

describe("delete", () => {
  test("dies before the host is asked: the host is told with its next heartbeat", async () => {
    const { id } = await h.create();
    await markEnding(h.deps.db, h.tenantId, id, killed());
    const { kill } = await h.heartbeat();
    expect(kill).toEqual([{ sandboxId: id, generation: 1, reason: "killed" }]);
    expect(await h.slotsUsed()).toBe(1);
  });

  test("dies after the host did it: the host's report ends the row", async () => {
    const { id } = await h.create();
    const row = await markEnding(h.deps.db, h.tenantId, id, killed());
    const end = row && (await h.provider.kill(placeOf(row), 1));
    if (!end) throw new Error("not killed");
    await h.heartbeat({ ended: [end] });
    expect(await h.read(id)).toMatchObject({ state: "ended", endReason: "killed" });
    expect(await h.slotsUsed()).toBe(0);
  });

  test("of a sandbox whose host is down is accepted, and finished by the heartbeat", async () => {
    const { id } = await h.create();
    h.provider.failNext("kill", unknownOutcome());
    expect((await h.send("DELETE", `/v1/sandboxes/${id}`, { key: h.key })).status).toBe(204);
    expect(await h.read(id)).toMatchObject({ state: "ending" });
    expect((await h.read(id)).endReason).toBeUndefined();
    expect(await h.slotsUsed()).toBe(1);
    expect((await h.send("DELETE", `/v1/sandboxes/${id}`, { key: h.key })).status).toBe(204);
    expect(await h.read(id)).toMatchObject({ state: "ended", endReason: "killed" });
    expect(await h.slotsUsed()).toBe(0);
  });

  test("of a sandbox that is still being created leaves it to the heartbeat", async () => {
    const row = await crashedCreate(h);
    expect((await h.send("DELETE", `/v1/sandboxes/${row.id}`, { key: h.key })).status).toBe(204);
    expect((await h.read(row.id)).state).toBe("ending");
    await h.provider.create(placeOf(row), hostCreateOf(row));
    expect((await h.heartbeat()).kill).toEqual([{ sandboxId: row.id, generation: 1, reason: "killed" }]);
  });

  test("and a host that never comes back: the slot is free after the deadline and its grace", async () => {
    const { id } = await h.create();
    await markEnding(h.deps.db, h.tenantId, id, killed());
    h.clock.advance(900_000 + limits.reservationGraceMs + 1);
    await sweep(h.deps);
    expect(await h.read(id)).toMatchObject({ state: "ended", endReason: "killed" });
    expect(await h.slotsUsed()).toBe(0);
  });
});

test("a host that is down answers exec with host_unreachable, a command that may have run with exec_lost", async () => {
  const { id } = await h.create();
  const exec = () => h.send("POST", `/v1/sandboxes/${id}/exec`, { key: h.key, json: { command: "echo" } });
  h.provider.failNext("exec", new AppError("host_unreachable", "refused"));
  expect((await problemOf(await exec())).code).toBe("host_unreachable");
  h.provider.failNext("exec", new AppError("exec_lost", "lost", { isOutcomeUnknown: true }));
  expect((await problemOf(await exec())).code).toBe("exec_lost");
});

test("a deadline changed while the host was down is corrected by its next heartbeat", async () => {
  const { id, createdAt } = await h.create();
  h.provider.failNext("patch", new AppError("host_unreachable", "refused"));
  const response = await h.send("PATCH", `/v1/sandboxes/${id}`, {
    key: h.key,
    json: { lifetimeSeconds: 1200 },
  });
  expect((await problemOf(response)).code).toBe("host_unreachable");
  const expiresAtMs = Date.parse(createdAt) + 1_200_000;
  expect((await h.heartbeat()).deadlines).toEqual([{ sandboxId: id, generation: 1, expiresAtMs }]);
});

test("a longer life keeps its slot for as long", async () => {
  const { id } = await h.create({ lifetimeSeconds: 60 });
  await h.send("PATCH", `/v1/sandboxes/${id}`, { key: h.key, json: { lifetimeSeconds: 600 } });
  h.clock.advance(60_000 + limits.reservationGraceMs + 1);
  await sweep(h.deps);
  expect(await h.slotsUsed()).toBe(1);
});

test("an end of another generation neither ends a sandbox nor frees its slot", async () => {
  const { id } = await h.create();
  const end = { sandboxId: id, generation: 2, reason: "killed" as const, endedAtMs: h.clock.now() };
  await endSandbox(h.deps.db, h.tenantId, end, done());
  expect((await h.read(id)).state).toBe("running");
  expect(await h.slotsUsed()).toBe(1);
});

test("ending twice keeps the first reason and frees one slot", async () => {
  const { id } = await h.create();
  const end = { sandboxId: id, generation: 1, endedAtMs: h.clock.now() };
  await endSandbox(h.deps.db, h.tenantId, { ...end, reason: "oom" }, done());
  await endSandbox(h.deps.db, h.tenantId, { ...end, reason: "idle" }, done());
  expect(await h.read(id)).toMatchObject({ state: "ended", endReason: "oom" });
  await h.create();
  expect(await h.slotsUsed()).toBe(1);
});
