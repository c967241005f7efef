import { expect, test } from "vitest";
import type { Lease } from "#host/leases/store";
import { FakeRuntime } from "../../fakes/runtime.ts";
import { hostCreate, hostsOfThisFile } from "../../support/host-harness.ts";

const host = hostsOfThisFile();

/** A host whose target is reached, as `kill -9` would leave it. */
async function killedHost() {
  // Members that are below the minimum are made at once.
  const before = host({ pool: { min: 3 } });
  await before.pool.warmUp(1_000);
  const created = await before.create();
  await expect.poll(() => before.pool.state()[0]?.available).toBe(3);
  return { before, created, again: () => host({ runtime: before.runtime, folder: before.folder }) };
}

test("a restarted host adopts what was leased and what was warm", async () => {
  const { before, created, again } = await killedHost();
  const memberId = before.registry.peek(created.sandboxId)?.member.memberId;
  const after = again();
  expect(await after.recover()).toEqual({ leased: 1, warm: 3, destroyed: 0 });
  expect(after.registry.peek(created.sandboxId)?.member.memberId).toBe(memberId);
  expect(after.pool.state()[0]?.available).toBe(3);
  expect(after.leases.ends()).toEqual([]);
});

test("killed between the claim and the answer: the half-made lease is destroyed and reported", async () => {
  const { before, again } = await killedHost();
  const [memberId = ""] = before.pool.memberIds();
  const input = hostCreate(before.clock.nowMs);
  const { sandboxId, generation, tenantId } = input;
  const lease: Lease = {
    sandboxId,
    generation,
    tenantId,
    memberId,
    template: "base",
    key: "00".repeat(32),
    cpu: 1,
    memoryMiB: 256,
    pids: 256,
    diskMiB: 1024,
    idleSeconds: 300,
    publicPorts: false,
    createdAtMs: 1,
    expiresAtMs: before.clock.nowMs + 1000,
  };
  before.leases.claim(lease);
  const after = again();
  expect(await after.recover()).toEqual({ leased: 1, warm: 2, destroyed: 1 });
  expect(after.leases.ends()).toMatchObject([{ sandboxId, endReason: "crashed" }]);
  expect(after.runtime.containers.has(`c-${memberId}`)).toBe(false);
});

test("a configured sandbox without a lease file is destroyed, never handed out again", async () => {
  const { before, created, again } = await killedHost();
  const live = before.registry.peek(created.sandboxId);
  if (live) before.leases.end({ ...created, endReason: "killed", endedAtMs: 1 });
  const after = again();
  expect(await after.recover()).toMatchObject({ leased: 0, destroyed: 1 });
  expect(after.runtime.containers.has(live?.member.handle ?? "")).toBe(false);
});

test("a container that died with its host is removed and its lease reported as crashed", async () => {
  const { before, created, again } = await killedHost();
  const memberId = before.registry.peek(created.sandboxId)?.member.memberId ?? "";
  // The old host is gone: nobody reacts to this.
  before.leases.end = () => undefined;
  before.runtime.daemonOf(memberId).die();
  const after = again();
  expect(await after.recover()).toMatchObject({ leased: 0, destroyed: 1 });
  expect(after.leases.ends()).toMatchObject([{ sandboxId: created.sandboxId, endReason: "crashed" }]);
});

test("warm members of an older template are replaced", async () => {
  const { before, again } = await killedHost();
  for (const { found } of before.runtime.containers.values()) found.templateDigest = "older";
  expect(await again().recover()).toEqual({ leased: 1, warm: 0, destroyed: 3 });
});

test("a member whose key is not the lease's is destroyed", async () => {
  const { before, created, again } = await killedHost();
  const lease = before.leases.leases()[0];
  if (lease) before.leases.update({ ...lease, key: "ff".repeat(32) });
  const after = again();
  expect(await after.recover()).toMatchObject({ leased: 0, destroyed: 1 });
  expect(after.leases.ends()).toMatchObject([{ sandboxId: created.sandboxId, endReason: "crashed" }]);
});

test("an empty machine recovers nothing", async () => {
  expect(await host({ runtime: new FakeRuntime() }).recover()).toEqual({ leased: 0, warm: 0, destroyed: 0 });
});
