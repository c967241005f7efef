import { expect, test } from "vitest";
import type { Member } from "#host/runtime/runtime";
import { endSandbox } from "#host/sandboxes/end";
import { endAll } from "#host/sandboxes/end-all";
import { hostCreate, hostsOfThisFile } from "../../support/host-harness.ts";

const host = hostsOfThisFile();

/** Makes `take` hand out its next member only when the test says so. */
function holdNextTake(pool: ReturnType<typeof host>["pool"]) {
  const take = pool.take.bind(pool);
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  pool.take = async (...args: Parameters<typeof take>): Promise<{ member: Member; isWarm: boolean }> => {
    pool.take = take;
    await opened;
    return take(...args);
  };
  return open;
}

test("a sandbox that is ended while it is being configured stays ended", async () => {
  const { deps, pool, create, registry, runtime, clock, leases } = host();
  await pool.warmUp(1_000);
  const input = hostCreate(clock.nowMs);
  const apply = runtime.applyLimits;
  runtime.applyLimits = () => {
    runtime.applyLimits = apply;
    const live = registry.peek(input.sandboxId);
    if (live) void endSandbox(deps, live, "killed");
  };
  await expect(create(input)).rejects.toMatchObject({ code: "sandbox_ended" });
  expect(registry.size).toBe(0);
  expect(leases.leases()).toEqual([]);
  expect(leases.ends()).toMatchObject([{ sandboxId: input.sandboxId, endReason: "killed" }]);
});

test("a repeated create that still waits does not bring back what has ended meanwhile", async () => {
  const { deps, pool, create, registry, clock, runtime } = host();
  await pool.warmUp(1_000);
  const input = hostCreate(clock.nowMs);
  const letGo = holdNextTake(pool);
  const late = create(input);
  await create(input);
  const live = registry.peek(input.sandboxId);
  if (live) await endSandbox(deps, live, "killed");
  letGo();
  await expect(late).rejects.toMatchObject({ code: "conflict" });
  expect(registry.size).toBe(0);
  await expect.poll(() => runtime.containers.size - pool.memberIds().length).toBe(0);
});

test("two generations of one id never live at once, and neither is forgotten", async () => {
  const { pool, create, registry, clock, leases } = host();
  await pool.warmUp(1_000);
  const input = hostCreate(clock.nowMs);
  const letGo = holdNextTake(pool);
  const late = create({ ...input, generation: 2 });
  await create(input);
  letGo();
  await expect(late).rejects.toMatchObject({ code: "conflict" });
  expect(leases.leases().map(({ generation }) => generation)).toEqual([1]);
  expect(registry.peek(input.sandboxId)?.lease.generation).toBe(1);
});

test("creates that wait together promise no more memory than there is", async () => {
  const { pool, create, registry, deps } = host();
  await pool.warmUp(1_000);
  deps.freeMemoryMiB = () => 2_048 - registry.all().reduce((sum, { lease }) => sum + lease.memoryMiB, 0);
  const results = await Promise.allSettled(Array.from({ length: 4 }, () => create({ memoryMiB: 1_024 })));
  expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(2);
  expect(registry.size).toBe(2);
});

test("a member that could not be configured is replaced by another one, under the same id", async () => {
  const { pool, create, registry, runtime, endCount } = host();
  await pool.warmUp(1_000);
  const apply = runtime.applyLimits;
  runtime.applyLimits = () => {
    runtime.applyLimits = apply;
    throw new Error("gone");
  };
  const { sandboxId } = await create();
  expect(registry.peek(sandboxId)).toBeDefined();
  expect(endCount()).toBe(0);
});

test("a drain ends what is handed out while it ends the others", async () => {
  const { deps, pool, create, registry, runtime } = host();
  await pool.warmUp(1_000);
  await create();
  const kill = runtime.kill.bind(runtime);
  const late: Promise<unknown>[] = [];
  runtime.kill = async (member) => {
    runtime.kill = kill;
    late.push(create().catch((cause: unknown) => cause));
    await kill(member);
  };
  await endAll(deps);
  expect(await late[0]).toMatchObject({ code: "no_capacity" });
  expect(registry.size).toBe(0);
  expect(runtime.containers.size).toBe(0);
});
