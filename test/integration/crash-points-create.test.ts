import { afterEach, beforeEach, expect, test } from "vitest";
import type { SandboxId } from "#contract/ids";
import { limits } from "#contract/limits";
import { crashedCreate, hostCreateOf, placeOf } from "#test/support/crashed-create";
import { type Harness, harness, problemOf } from "#test/support/harness";
import { AppError } from "#worker/errors";
import { findSandbox, type SandboxRow } from "#worker/sandboxes/store";
import { sweep } from "#worker/sandboxes/sweep";

let h: Harness;
beforeEach(async () => {
  h = await harness({ maxSandboxes: 2 });
});
afterEach(() => h.close());

const unknownOutcome = () => new AppError("host_unreachable", "No answer.", { isOutcomeUnknown: true });
const post = () => h.send("POST", "/v1/sandboxes", { key: h.key, json: {} });
async function onlyRow(): Promise<SandboxRow> {
  const found = await h.database.client.execute("SELECT id FROM sandboxes");
  expect(found.rows).toHaveLength(1);
  const row = await findSandbox(h.deps.db, h.tenantId, String(found.rows[0]?.id) as SandboxId);
  if (!row) throw new Error("no row");
  return row;
}
test("a failed placement gives the slot back and hides the cause", async () => {
  h.provider.failNext("create", new Error("dial unix docker.sock"));
  const response = await post();
  expect(response.status).toBe(500);
  expect(await response.text()).not.toContain("docker.sock");
  expect(await h.slotsUsed()).toBe(0);
  expect(await onlyRow()).toMatchObject({ state: "ended", endReason: "canceled" });
});

test("a create dies before the host is asked: the row ends once the host is seen without it", async () => {
  const row = await crashedCreate(h);
  await h.heartbeat();
  expect((await h.read(row.id)).state).toBe("creating");
  h.clock.advance(limits.createDeadlineMs + limits.snapshotGraceMs);
  await h.heartbeat();
  expect(await h.read(row.id)).toMatchObject({ state: "ended", endReason: "crashed" });
  expect(await h.slotsUsed()).toBe(0);
});

test("a create dies after the host did it: the heartbeat makes it running", async () => {
  const row = await crashedCreate(h);
  await h.provider.create(placeOf(row), hostCreateOf(row));
  await h.heartbeat();
  expect((await h.read(row.id)).state).toBe("running");
  expect(await h.slotsUsed()).toBe(1);
});

test("a create dies and its host never comes back: the sweep ends it at its deadline", async () => {
  const row = await crashedCreate(h);
  h.clock.advance(900_000 + limits.reservationGraceMs + 1);
  expect(await sweep(h.deps)).toEqual({ ended: 1, released: 0, orphaned: 0 });
  expect(await h.read(row.id)).toMatchObject({ state: "ended", endReason: "host_lost" });
  expect(await h.slotsUsed()).toBe(0);
  expect(await sweep(h.deps)).toEqual({ ended: 0, released: 0, orphaned: 0 });
});

test("an answer to a create that is lost keeps the slot until the host has killed what it made", async () => {
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
  expect((await h.heartbeat({ ended: [end] })).acknowledged).toEqual([{ sandboxId: row.id, generation: 1 }]);
  expect(await h.slotsUsed()).toBe(0);
});

test("a create that never arrived gives the slot back after its deadline", async () => {
  h.provider.failNext("create", unknownOutcome());
  await post();
  expect((await h.heartbeat()).kill).toEqual([]);
  expect(await h.slotsUsed()).toBe(1);
  h.clock.advance(limits.createDeadlineMs + limits.snapshotGraceMs);
  await h.heartbeat();
  expect(await onlyRow()).toMatchObject({ state: "ended", endReason: "canceled" });
  expect(await h.slotsUsed()).toBe(0);
});

test("a create moves from a full host to the next under a new id, with one slot", async () => {
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

test("a create is refused after three full hosts, and holds nothing", async () => {
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
