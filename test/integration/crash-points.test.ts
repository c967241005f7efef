import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { newSandboxId, type SandboxId } from "#contract/ids";
import { limits } from "#contract/limits";
import { takingOf } from "#test/support/account";
import { type Harness, harness, problemOf } from "#test/support/harness";
import { bySystem } from "#worker/audit/by";
import { AppError } from "#worker/errors";
import { insertReserved } from "#worker/sandboxes/insert-store";
import { endSandbox, findSandbox, markEnding, type SandboxRow } from "#worker/sandboxes/store";
import { sweep } from "#worker/sandboxes/sweep";

let h: Harness;
beforeEach(async () => {
  h = await harness({ maxSandboxes: 2 });
});
afterEach(() => h.close());

const unknownOutcome = () => new AppError("host_unreachable", "No answer.", { isOutcomeUnknown: true });
const done = () => ({ by: bySystem, nowMs: h.clock.now() });
const killed = () => ({ ...done(), reason: "killed" as const });
const post = () => h.send("POST", "/v1/sandboxes", { key: h.key, json: {} });
async function onlyRow(): Promise<SandboxRow> {
  const found = await h.database.client.execute("SELECT id FROM sandboxes");
  expect(found.rows).toHaveLength(1);
  const row = await findSandbox(h.deps.db, h.tenantId, String(found.rows[0]?.id) as SandboxId);
  if (!row) throw new Error("no row");
  return row;
}
/** What a create leaves when its process dies between the batch and the host. */
async function crashedCreate(): Promise<SandboxRow> {
  const nowMs = h.clock.now();
  const row: SandboxRow = {
    id: newSandboxId(h.host.code),
    tenantId: h.tenantId,
    hostId: h.host.hostId,
    generation: 1,
    template: "base",
    state: "creating",
    cpu: 1,
    memoryMiB: 256,
    pids: 256,
    diskMiB: 1024,
    lifetimeSeconds: 900,
    idleSeconds: 300,
    publicPorts: false,
    capMicros: null,
    metadata: {},
    createdAtMs: nowMs,
    startedAtMs: null,
    expiresAtMs: nowMs + 900_000,
    endedAtMs: null,
    endReason: null,
  };
  expect(await insertReserved(h.deps.db, h.tenantId, row, takingOf(h))).toBe(true);
  return row;
}
const hostCreateOf = (row: SandboxRow) => ({
  sandboxId: row.id,
  generation: row.generation,
  tenantId: row.tenantId,
  template: row.template,
  cpu: row.cpu,
  memoryMiB: row.memoryMiB,
  pids: row.pids,
  diskMiB: row.diskMiB,
  env: {},
  idleSeconds: row.idleSeconds,
  publicPorts: row.publicPorts,
  expiresAtMs: row.expiresAtMs,
});
const placeOf = (row: SandboxRow) => ({
  tenantId: row.tenantId,
  sandboxId: row.id,
  hostId: row.hostId,
  url: "",
});

describe("create", () => {
  test("a failed placement gives the slot back and hides the cause", async () => {
    h.provider.failNext("create", new Error("dial unix docker.sock"));
    const response = await post();
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain("docker.sock");
    expect(await h.slotsUsed()).toBe(0);
    expect(await onlyRow()).toMatchObject({ state: "ended", endReason: "canceled" });
  });

  test("dies before the host is asked: the row ends once the host is seen without it", async () => {
    const row = await crashedCreate();
    await h.heartbeat();
    expect((await h.read(row.id)).state).toBe("creating");
    h.clock.advance(limits.createDeadlineMs + limits.snapshotGraceMs);
    await h.heartbeat();
    expect(await h.read(row.id)).toMatchObject({ state: "ended", endReason: "crashed" });
    expect(await h.slotsUsed()).toBe(0);
  });

  test("dies after the host did it: the heartbeat makes it running", async () => {
    const row = await crashedCreate();
    await h.provider.create(placeOf(row), hostCreateOf(row));
    await h.heartbeat();
    expect((await h.read(row.id)).state).toBe("running");
    expect(await h.slotsUsed()).toBe(1);
  });

  test("dies and its host never comes back: the sweep ends it at its deadline", async () => {
    const row = await crashedCreate();
    h.clock.advance(900_000 + limits.reservationGraceMs + 1);
    expect(await sweep(h.deps)).toEqual({ ended: 1, released: 0, orphaned: 0 });
    expect(await h.read(row.id)).toMatchObject({ state: "ended", endReason: "host_lost" });
    expect(await h.slotsUsed()).toBe(0);
    expect(await sweep(h.deps)).toEqual({ ended: 0, released: 0, orphaned: 0 });
  });

  test("an answer that is lost keeps the slot until the host has killed what it made", async () => {
    h.provider.failNext("create", unknownOutcome(), true);
    const response = await post();
    expect([response.status, (await problemOf(response)).code]).toEqual([503, "host_unreachable"]);
    const row = await onlyRow();
    expect(row.state).toBe("ending");
    expect(await h.slotsUsed()).toBe(1);
    const { kill } = await h.heartbeat();
    expect(kill).toEqual([{ sandboxId: row.id, generation: 1, reason: "canceled" }]);
    const end = await h.provider.kill(placeOf(row), 1);
    if (!end) throw new Error("not killed");
    expect((await h.heartbeat({ ended: [end] })).acknowledged).toEqual([
      { sandboxId: row.id, generation: 1 },
    ]);
    expect(await h.slotsUsed()).toBe(0);
  });

  test("a request that never arrived gives the slot back after its deadline", async () => {
    h.provider.failNext("create", unknownOutcome());
    await post();
    expect((await h.heartbeat()).kill).toEqual([]);
    expect(await h.slotsUsed()).toBe(1);
    h.clock.advance(limits.createDeadlineMs + limits.snapshotGraceMs);
    await h.heartbeat();
    expect(await onlyRow()).toMatchObject({ state: "ended", endReason: "canceled" });
    expect(await h.slotsUsed()).toBe(0);
  });

  test("moves from a full host to the next under a new id, with one slot", async () => {
    await h.close();
    h = await harness({ hosts: 3 });
    h.provider.failNext("create", new AppError("no_capacity", "full"));
    h.provider.failNext("create", new AppError("no_capacity", "full"));
    const sandbox = await h.create();
    expect(h.provider.calls.filter((verb) => verb === "create")).toHaveLength(3);
    const row = await onlyRow();
    expect(row.id).toBe(sandbox.id);
    const host = h.hosts.find((identity) => sandbox.id.startsWith(identity.code));
    expect(row.hostId).toBe(host?.hostId);
    expect(await h.slotsUsed()).toBe(1);
  });

  test("is refused after three full hosts, and holds nothing", async () => {
    await h.close();
    h = await harness({ hosts: 5 });
    h.provider.capacity = 0;
    const response = await post();
    expect([response.status, (await problemOf(response)).code]).toEqual([503, "no_capacity"]);
    expect(response.headers.get("retry-after")).toBe("1");
    expect(h.provider.calls).toHaveLength(limits.placementHostsMax);
    expect(await h.slotsUsed()).toBe(0);
    expect((await onlyRow()).state).toBe("ended");
  });

  test("a host that says when it expects to have room is passed on to the caller", async () => {
    h.provider.failNext("create", new AppError("no_capacity", "full", { facts: { retryAfterSeconds: 7 } }));
    const response = await post();
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "7"]);
    expect(await problemOf(response)).toMatchObject({ facts: { retryAfterSeconds: 7 } });
  });
});

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
    const row = await crashedCreate();
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
