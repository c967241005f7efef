import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { newTenantId } from "#contract/ids";
import { endSandbox } from "#host/sandboxes/end";
import { execInSandbox } from "#host/sandboxes/exec";
import { reap } from "#host/sandboxes/reap";
import { sweep } from "#host/sandboxes/sweep";
import { hostCreate, hostsOfThisFile } from "../../support/host-harness.ts";

const host = hostsOfThisFile();
/** Timers that only a test moves; `later` is when the pool has made what nobody waits for, and tried again. */
const fakeTimers = () => vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
const later = () => vi.advanceTimersByTimeAsync(3_000);
afterEach(() => {
  vi.useRealTimers();
});

test("a warm member is handed out once, configured with its id, and replaced", async () => {
  fakeTimers();
  const { pool, create, registry, runtime } = host({ pool: { min: 3 } });
  await pool.warmUp(1_000);
  const created = await create();
  expect(created.source).toBe("pool");
  const live = registry.all()[0];
  expect(runtime.daemonOf(live?.member.memberId ?? "").configured?.sandboxId).toBe(created.sandboxId);
  await later();
  await expect.poll(() => pool.state()[0]?.available).toBe(3);
  expect(pool.memberIds()).not.toContain(live?.member.memberId);
});

test("members are never shared: a burst of creates gets as many members", async () => {
  const { create, registry } = host({ pool: { max: 40 } });
  const made = await Promise.all(Array.from({ length: 30 }, () => create()));
  expect(made).toHaveLength(30);
  expect(new Set(registry.all().map((live) => live.member.memberId)).size).toBe(30);
});

test("a full host answers no_capacity at once and has room again after an end", async () => {
  const { deps, create, registry } = host({ pool: { max: 2, target: 1 } });
  await create();
  await create();
  await expect(create()).rejects.toMatchObject({ code: "no_capacity" });
  const [first] = registry.all();
  if (first) await endSandbox(deps, first, "killed");
  await expect(create()).resolves.toMatchObject({ source: expect.stringMatching(/pool|cold/) });
});

test("a create that is repeated answers as before; another tenant's or a spent id conflicts", async () => {
  const { deps, clock, create, registry } = host();
  const input = hostCreate(clock.nowMs);
  await create(input);
  await expect(create(input)).resolves.toMatchObject({ sandboxId: input.sandboxId });
  expect(registry.size).toBe(1);
  await expect(create({ ...input, tenantId: newTenantId() })).rejects.toMatchObject({ code: "conflict" });
  const live = registry.peek(input.sandboxId);
  if (live) await endSandbox(deps, live, "killed");
  await expect(create(input)).rejects.toMatchObject({ code: "conflict" });
});

test("a lost race for the same id gives the member back to the pool", async () => {
  const { clock, create, registry, pool } = host();
  await pool.warmUp(1_000);
  const input = hostCreate(clock.nowMs);
  const results = await Promise.allSettled(Array.from({ length: 5 }, () => create(input)));
  expect(results.some(({ status }) => status === "fulfilled")).toBe(true);
  expect(registry.size).toBe(1);
  await expect.poll(() => pool.state()[0]?.available).toBeGreaterThanOrEqual(3);
});

test("a claim that cannot be written refuses the create, and the member stays in the pool", async () => {
  const { pool, create, registry, folder } = host({ pool: { min: 3 } });
  await pool.warmUp(1_000);
  await expect.poll(() => pool.state()[0]?.available).toBe(3);
  const members = pool.memberIds().sort();
  rmSync(join(folder, "leases"), { recursive: true });
  await expect(create()).rejects.toMatchObject({ code: "no_capacity" });
  expect(registry.size).toBe(0);
  expect(pool.memberIds().sort()).toEqual(members);
});

test("more than the machine has is the caller's mistake, more than is left is a matter of room", async () => {
  const { create } = host({ freeMemoryMiB: 1024 });
  await expect(create({ cpu: 4 })).rejects.toMatchObject({ code: "invalid_request" });
  await expect(create({ memoryMiB: 65_537 })).rejects.toMatchObject({ code: "invalid_request" });
  await expect(create({ memoryMiB: 2048 })).rejects.toMatchObject({ code: "no_capacity" });
});

test("a failed start is tried again and leaves nothing behind", async () => {
  fakeTimers();
  const { create, runtime, registry } = host({ pool: { target: 0 } });
  runtime.failNextStart(new Error("dial unix docker.sock"));
  await expect(create()).rejects.toMatchObject({
    code: "no_capacity",
    message: expect.not.stringContaining("docker"),
  });
  expect(registry.size).toBe(0);
  expect(runtime.containers.size).toBe(0);
  await later();
  await expect(create()).resolves.toMatchObject({ source: "cold" });
});

test("one failed start does not refuse those whom another start will serve", async () => {
  const { create, runtime } = host({ pool: { target: 3 } });
  runtime.failNextStart(new Error("once"));
  await expect(create()).resolves.toMatchObject({ source: "cold" });
});

test("a warm member that dies is replaced, and one that is silent too", async () => {
  fakeTimers();
  const made = host();
  const { pool, runtime } = made;
  pool.refill();
  await later();
  await expect.poll(() => pool.state()[0]?.available).toBe(3);
  const [dead, silent] = pool.memberIds();
  runtime.daemonOf(dead ?? "").die();
  runtime.daemonOf(silent ?? "").isSilent = true;
  await sweep(made.deps);
  await later();
  await expect.poll(() => pool.state()[0]?.available).toBe(3);
  expect(pool.memberIds()).not.toContain(dead);
  expect(pool.memberIds()).not.toContain(silent);
  await expect.poll(() => runtime.containers.size).toBe(3);
});

test("a sandbox whose daemon dies ends as crashed, once, and is told to the control plane", async () => {
  const { create, registry, runtime, leases, endCount } = host();
  const { sandboxId } = await create();
  runtime.daemonOf(registry.peek(sandboxId)?.member.memberId ?? "").die();
  await expect.poll(() => leases.ends()).toMatchObject([{ sandboxId, endReason: "crashed" }]);
  expect(registry.size).toBe(0);
  expect(leases.leases()).toEqual([]);
  expect(endCount()).toBe(1);
});

test("idle and expired sandboxes end with their reason, a working one does not idle out", async () => {
  const { deps, clock, create, registry, leases } = host();
  const idle = await create({ idleSeconds: 10 });
  const busy = await create({ idleSeconds: 10 });
  const live = registry.peek(busy.sandboxId);
  const running =
    live &&
    execInSandbox({ ...deps, onExecEnd: () => undefined, onSilent: () => undefined }, live, {
      command: ["sleep"],
    });
  const failed = expect(running).rejects.toMatchObject({ code: "sandbox_ended" });
  clock.nowMs += 11_000;
  await reap(deps);
  expect(leases.ends()).toMatchObject([{ sandboxId: idle.sandboxId, endReason: "idle" }]);
  clock.nowMs += 900_000;
  await reap(deps);
  await failed;
  expect(leases.ends().find((end) => end.sandboxId === busy.sandboxId)?.endReason).toBe("lifetime");
});

test("another tenant's sandbox is not found, and an ended one says so to its own tenant only", async () => {
  const { deps, create, registry } = host();
  const tenantId = newTenantId();
  const { sandboxId } = await create({ tenantId });
  expect(() => registry.find(sandboxId, newTenantId())).toThrow("Check the sandbox id.");
  const live = registry.find(sandboxId, tenantId);
  await Promise.all([endSandbox(deps, live, "killed"), endSandbox(deps, live, "idle")]);
  expect(() => registry.find(sandboxId, tenantId)).toThrow("killed");
  expect(() => registry.find(sandboxId, newTenantId())).toThrow("Check the sandbox id.");
});

test("a sweep removes a container that nobody knows, and nothing else", async () => {
  const { deps, pool, create, runtime } = host();
  await pool.warmUp(1_000);
  await create();
  await pool.warmUp(1_000);
  const template = { name: "base", digest: "digest-1", image: "i" };
  await runtime.start({ memberId: "deadbeef", template, limits: { cpu: 1, memoryMiB: 256, pids: 64 } });
  const before = runtime.containers.size;
  await sweep(deps);
  expect(runtime.containers.has("c-deadbeef")).toBe(false);
  expect(runtime.containers.size).toBe(before - 1);
});
