import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { parkedCheckMs } from "#host/pool/parking";
import type { PoolSettings } from "#host/pool/settings";
import { endSandbox } from "#host/sandboxes/end";
import { sweep } from "#host/sandboxes/sweep";
import { hostsOfThisFile } from "../../support/host-harness.ts";

const host = hostsOfThisFile();

/** A host whose shelf has had time to fill, one member after the other, a second between them. */
async function filled(pool: Partial<PoolSettings>) {
  const made = host({ pool: { target: 4, ...pool } });
  made.pool.refill();
  await expect.poll(() => made.shelf().available).toBe(made.shelf().target);
  return made;
}
const parkAfterMs = 60_000;

test("members that are there for long are parked, a few at a time, and the newest that are not go first", async () => {
  const made = await filled({ parkAfterMs, target: 6 });
  const { pool, clock, runtime } = made;
  const frozen = () => pool.memberIds().filter((memberId) => runtime.daemonOf(memberId).isFrozen);
  await pool.tend();
  expect(frozen()).toEqual([]);
  clock.nowMs += parkAfterMs;
  await pool.tend();
  expect([frozen().length, made.shelf().parked, made.shelf().available]).toEqual([4, 4, 6]);
  const parked = frozen();
  for (let taken = 0; taken < 2; taken++) {
    const { member } = await pool.take("base", "a tenant", 1_000);
    expect(parked).not.toContain(member.memberId);
  }
  const { member, isWarm } = await pool.take("base", "a tenant", 1_000);
  expect([parked.includes(member.memberId), isWarm]).toEqual([true, true]);
  expect(runtime.daemonOf(member.memberId).isFrozen).toBe(false);
});

test("a sandbox made of a parked member works like any other", async () => {
  const made = await filled({ parkAfterMs, target: 1 });
  made.clock.nowMs += parkAfterMs;
  await made.pool.tend();
  expect(made.shelf().parked).toBe(1);
  await expect(made.create()).resolves.toMatchObject({ source: "pool" });
});

test("a member that is being parked is nobody's until it is back, and then goes to who waits", async () => {
  const made = await filled({ parkAfterMs, target: 1, max: 1 });
  const { pool, clock, runtime } = made;
  clock.nowMs += parkAfterMs;
  let finish: () => void = () => undefined;
  const park = runtime.park.bind(runtime);
  runtime.park = async (member) => {
    await new Promise<void>((resolve) => {
      finish = resolve;
    });
    return park(member);
  };
  const tended = pool.tend();
  const [memberId] = pool.memberIds();
  expect([made.shelf().available, memberId]).toEqual([0, expect.any(String)]);
  const taken = pool.take("base", "a tenant", 5_000);
  finish();
  expect((await taken).member.memberId).toBe(memberId);
  expect(runtime.daemonOf(memberId ?? "").isFrozen).toBe(false);
  await tended;
});

test("a parked member is not taken for a silent one, and is thawed for a look now and then", async () => {
  const made = await filled({ parkAfterMs });
  const { pool, clock, runtime } = made;
  const members = pool.memberIds().sort();
  clock.nowMs += parkAfterMs;
  await pool.tend();
  await sweep(made.deps);
  expect(pool.memberIds().sort()).toEqual(members);
  clock.nowMs += parkedCheckMs;
  await pool.tend();
  expect(made.shelf()).toMatchObject({ available: 4, parked: 3 });
  const silent = members.find((memberId) => runtime.daemonOf(memberId).isFrozen) ?? "";
  runtime.daemonOf(silent).isSilent = true;
  for (let look = 0; look < 4; look++) await pool.tend();
  await expect.poll(() => runtime.containers.has(`c-${silent}`)).toBe(false);
  await expect.poll(() => made.shelf().available).toBe(4);
});

test("a member that is parked while it is being pinged is not taken for a silent one", async () => {
  const made = await filled({ parkAfterMs, target: 1 });
  const { pool, clock } = made;
  const connection = pool.first()?.connection;
  if (!connection) throw new Error("There is no member.");
  let beLate: () => void = () => undefined;
  const late = new Promise<void>((_, reject) => {
    beLate = () => reject(new Error("late"));
  });
  connection.ping = () => late;
  const checked = pool.checkHealth(5_000);
  clock.nowMs += parkAfterMs;
  await pool.tend();
  beLate();
  await checked;
  expect([connection.isOpen, made.shelf()]).toMatchObject([true, { available: 1, parked: 1 }]);
});

test("a parked member whose container is gone is replaced, though it cannot tell by itself", async () => {
  const made = await filled({ parkAfterMs });
  const { pool, clock, runtime } = made;
  clock.nowMs += parkAfterMs;
  await pool.tend();
  const [gone = ""] = pool.memberIds();
  // As the kernel has it: what is frozen keeps its connection even when its container was removed.
  const list = runtime.list.bind(runtime);
  runtime.list = async () => (await list()).filter(({ memberId }) => memberId !== gone);
  await sweep(made.deps);
  await expect.poll(() => pool.memberIds().includes(gone)).toBe(false);
  await expect.poll(() => made.shelf().available).toBe(4);
});

test("members that cannot be frozen stay as they are", async () => {
  const made = await filled({ parkAfterMs });
  made.runtime.park = async () => false;
  made.clock.nowMs += parkAfterMs;
  await made.pool.tend();
  expect(made.shelf()).toMatchObject({ available: 4, parked: 0 });
  await expect(made.create()).resolves.toMatchObject({ source: "pool" });
});

test("a member that is too old is replaced, one at a time", async () => {
  const made = await filled({ maxAgeMs: 3_600_000 });
  const { pool, clock } = made;
  const first = pool.memberIds();
  clock.nowMs += 3_600_000;
  for (let left = 3; left >= 0; left--) {
    await pool.tend();
    await expect.poll(() => made.shelf().available).toBe(4);
    expect(pool.memberIds().filter((memberId) => first.includes(memberId))).toHaveLength(left);
  }
});

test("a quiet pool shrinks to its minimum, and the next create brings it back", async () => {
  const made = await filled({ min: 1, target: 5, isCleanupAggressive: true, quietMs: 60_000 });
  const { pool, clock } = made;
  await pool.tend();
  expect(made.shelf().available).toBe(5);
  clock.nowMs += 60_000;
  for (let second = 0; second < 5; second++) await pool.tend();
  await expect.poll(() => made.runtime.containers.size).toBe(1);
  expect(made.shelf()).toMatchObject({ available: 1, target: 1 });
  await made.create();
  await expect.poll(() => made.shelf()).toMatchObject({ available: 5, target: 5 });
});

test("without cleaning up aggressively a quiet pool keeps its target", async () => {
  const made = await filled({ min: 1, target: 5, isCleanupAggressive: false, quietMs: 60_000 });
  made.clock.nowMs += 3_600_000;
  for (let second = 0; second < 5; second++) await made.pool.tend();
  expect(made.shelf()).toMatchObject({ available: 5, target: 5 });
});

test("what was made for a rush stays for a while, then goes", async () => {
  const made = await filled({ target: 2, max: 20, startsMax: 1, lookAheadSeconds: 30, quietMs: 60_000 });
  const { clock, pool, runtime } = made;
  const start = runtime.start.bind(runtime);
  runtime.start = (spec) => sleep(20).then(() => start(spec));
  // Faster than they are made: what there is no room for counts as well.
  for (let create = 0; create < 1_500; create++) void made.create().catch(() => undefined);
  await expect.poll(() => made.shelf().waiting).toBe(0);
  expect(made.shelf().target).toBe(20);
  await Promise.all(made.registry.all().map((live) => endSandbox(made.deps, live, "killed")));
  clock.nowMs += 1_000;
  pool.refill();
  await expect.poll(() => made.shelf().available, { timeout: 5_000 }).toBe(made.shelf().target);
  const rush = made.shelf().available;
  clock.nowMs += 120_000;
  await pool.tend();
  expect(made.shelf()).toMatchObject({ available: rush, target: 2 });
  clock.nowMs += 60_000;
  for (let second = 0; second < rush; second++) await pool.tend();
  expect(made.shelf().available).toBe(2);
});

test("the cost ceiling holds for what is kept, and not for what is asked for", async () => {
  const made = await filled({ target: 10, idleMax: 3 });
  await made.pool.tend();
  expect(made.shelf()).toMatchObject({ available: 3, target: 3 });
  await Promise.all(Array.from({ length: 8 }, () => made.create()));
  expect(made.registry.size).toBe(8);
  await expect.poll(() => made.shelf().available).toBe(3);
});

test("what is kept idle gives way to a sandbox that needs its memory, as far as that helps", async () => {
  const made = host({ promisableMiB: 2048, pool: { target: 8 } });
  made.pool.refill();
  await expect.poll(() => made.shelf().available).toBe(8);
  await made.create({ memoryMiB: 1024 });
  expect(made.freeMemoryMiB()).toBeGreaterThanOrEqual(0);
  await expect.poll(() => made.shelf()).toMatchObject({ available: 4, allocated: 1 });
  // Not even all of them together would make room for this one.
  await expect(made.create({ memoryMiB: 2048 })).rejects.toMatchObject({ code: "no_capacity" });
  expect(made.shelf().available).toBe(4);
});
