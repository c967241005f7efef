import { expect, test } from "vitest";
import { MemoryInUseError } from "#host/cgroup/limits";
import { HostError } from "#host/errors";
import { endSandbox } from "#host/sandboxes/end";
import { keepLimits } from "#host/sandboxes/keep-limits";
import { hostsOfThisFile } from "../../support/host-harness.ts";

const host = hostsOfThisFile();
const asked = { cpu: 0.25, memoryMiB: 512, pids: 64, diskMiB: 64 };

/** A host with warm members, and what its machine holds for the one sandbox that it has handed out. */
async function warmHost() {
  const made = host();
  await made.pool.warmUp(1_000);
  await expect.poll(() => made.pool.state()[0]?.available).toBe(3);
  const handle = () => made.registry.all()[0]?.member.handle ?? "";
  return { ...made, limitsNow: () => made.runtime.limits.get(handle()), handle };
}

test("each lease has its own limits, from the same pool, and they are on record", async () => {
  const { create, limitsNow, leases, runtime, handle } = await warmHost();
  expect(await create(asked)).toMatchObject({ source: "pool", diskMiB: 64 });
  expect(limitsNow()).toMatchObject({ cpu: 0.25, memoryMiB: 512, pids: 64 });
  expect(runtime.disksMiB.get(handle())).toBe(64);
  expect(leases.leases()).toMatchObject([asked]);
});

test("a host that can give less disk says so, and its record does", async () => {
  const { create, runtime, leases } = await warmHost();
  runtime.grantDisk = () => 32;
  expect(await create(asked)).toMatchObject({ diskMiB: 32 });
  expect(leases.leases()).toMatchObject([{ diskMiB: 32 }]);
});

test("a disk that is not granted refuses the create, and the member stays in the pool", async () => {
  const { create, runtime, pool, registry } = await warmHost();
  const members = pool.memberIds().sort();
  runtime.grantDisk = () => {
    throw new HostError("no_capacity", "This host keeps workspaces in memory.");
  };
  await expect(create(asked)).rejects.toMatchObject({ code: "no_capacity" });
  expect(pool.memberIds().sort()).toEqual(members);
  expect(registry.size).toBe(0);
});

test("a disk that cannot be made refuses the create, and nothing of it is left", async () => {
  const { create, runtime, pool, registry, leases } = await warmHost();
  runtime.fitDisk = async () => {
    throw new Error("mount failed: no free loop device");
  };
  const refused = expect(create(asked)).rejects;
  await refused.toMatchObject({ code: "no_capacity", message: expect.not.stringContaining("loop") });
  expect([registry.size, leases.leases(), leases.ends()]).toEqual([0, [], []]);
  await expect.poll(() => pool.state()[0]?.available).toBe(3);
  expect(runtime.containers.size).toBe(3);
});

test("less memory than a sandbox begins with is the caller's mistake, and nothing is left of the try", async () => {
  const { create, runtime, pool, registry, leases } = await warmHost();
  runtime.applyLimits = () => {
    throw new MemoryInUseError(300);
  };
  await expect(create({ memoryMiB: 256 })).rejects.toMatchObject({
    code: "invalid_request",
    message: "memoryMiB is 256, but a sandbox of this template begins with 300 MiB in use; ask for more.",
  });
  expect([registry.size, leases.leases(), leases.ends()]).toEqual([0, [], []]);
  await expect.poll(() => pool.state()[0]?.available).toBe(3);
});

test("more disk than the machine has is the caller's mistake, more than is left is a matter of room", async () => {
  const { create } = host({ freeDiskMiB: 1_000 });
  await expect(create({ diskMiB: 65_537 })).rejects.toMatchObject({ code: "invalid_request" });
  await expect(create({ diskMiB: 2_025 })).rejects.toMatchObject({ code: "no_capacity" });
  await expect(create({ diskMiB: 2_024 })).resolves.toMatchObject({ diskMiB: 2_024 });
});

test("nothing is handed out while the machine's disk is short, not even what is warm", async () => {
  const made = host({ isDiskShort: true });
  await made.pool.warmUp(1_000);
  await expect.poll(() => made.pool.state()[0]?.available).toBe(3);
  await expect(made.create({ diskMiB: 64 })).rejects.toMatchObject({ code: "no_capacity" });
  expect(made.pool.state()[0]?.available).toBe(3);
});

test("limits that somebody changes are put right by the meter, for every sandbox that lives", async () => {
  const { deps, create, registry, runtime } = host({ pool: { max: 60 } });
  await Promise.all(Array.from({ length: 45 }, () => create(asked)));
  const [first] = registry.all();
  if (first) await endSandbox(deps, first, "killed");
  const live = registry.all().map(({ member }) => member.handle);
  for (const handle of live) runtime.limits.set(handle, { cpu: 4, memoryMiB: 4096, pids: 4096 });
  await keepLimits(deps);
  for (const handle of live) expect(runtime.limits.get(handle)).toMatchObject({ cpu: 0.25, pids: 64 });
});

test("a sandbox whose limits resist does not keep the others from theirs", async () => {
  const { deps, create, registry, runtime } = host();
  await create(asked);
  await create(asked);
  const [stubborn, other] = registry.all().map(({ member }) => member.handle);
  const keep = runtime.keepLimits.bind(runtime);
  runtime.keepLimits = (member, limits) => {
    if (member.handle === stubborn) throw new Error("EBUSY");
    return keep(member, limits);
  };
  runtime.limits.clear();
  await keepLimits(deps);
  expect([...runtime.limits.keys()]).toEqual([other]);
});

test("a restarted host puts the limits of what it adopts right at once", async () => {
  const before = await warmHost();
  await before.create(asked);
  before.runtime.limits.set(before.handle(), { cpu: 4, memoryMiB: 4096, pids: 4096 });
  const after = host({ runtime: before.runtime, folder: before.folder });
  await after.recover();
  expect(before.limitsNow()).toMatchObject({ cpu: 0.25, memoryMiB: 512, pids: 64 });
});

test("a create that the pool can serve asks nothing of the engine", async () => {
  const { create, runtime, registry } = await warmHost();
  let letGo: (cause: Error) => void = () => undefined;
  const stuck = new Promise<never>((_, reject) => {
    letGo = reject;
  });
  stuck.catch(() => undefined);
  const asking: string[] = [];
  for (const call of ["start", "list", "adopt", "inspect", "remove", "label"] as const) {
    runtime[call] = () => {
      asking.push(call);
      return stuck;
    };
  }
  await expect(create()).resolves.toMatchObject({ source: "pool" });
  expect(registry.size).toBe(1);
  expect(asking).toEqual([]);
  letGo(new Error("the engine is gone"));
});
