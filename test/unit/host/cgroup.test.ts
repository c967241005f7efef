import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { killCgroup, processesOf } from "#host/cgroup/kill";
import { keepLimits, MemoryInUseError, writeLimits } from "#host/cgroup/limits";
import { oomKills, parseOomKills } from "#host/cgroup/oom";
import { cgroupPathsOf } from "#host/cgroup/paths";
import { reclaim } from "#host/cgroup/reclaim";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A recorded tree: plain files where the kernel has control files. */
function tree(files: Record<string, string>): string {
  const root = mkdtempSync(join(tmpdir(), "sandgate-cgroup-"));
  folders.push(root);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(root, name, ".."), { recursive: true });
    writeFileSync(join(root, name), content);
  }
  return root;
}

const v1Mounts = `30 23 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
33 30 0:29 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
34 30 0:30 / /sys/fs/cgroup/freezer rw,relatime - cgroup cgroup rw,freezer
35 30 0:31 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
`;
const v2Mounts =
  "29 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n";

function reading(mountinfo: string, membership: string) {
  return (path: string) => (path === "/proc/self/mountinfo" ? mountinfo : membership);
}

test("a container is found on cgroup v1, also where controllers share a mount", () => {
  const membership =
    "9:freezer:/docker/ab\n8:pids:/docker/ab\n4:memory:/docker/ab\n3:cpu,cpuacct:/docker/ab\n0::/\n";
  expect(cgroupPathsOf(7, "ab", reading(v1Mounts, membership))).toEqual({
    version: 1,
    memory: "/sys/fs/cgroup/memory/docker/ab",
    cpu: "/sys/fs/cgroup/cpu,cpuacct/docker/ab",
    cpuAccounting: "/sys/fs/cgroup/cpu,cpuacct/docker/ab",
    pids: "/sys/fs/cgroup/pids/docker/ab",
    freezer: "/sys/fs/cgroup/freezer/docker/ab",
  });
});

test("a container is found on cgroup v2 under the systemd driver", () => {
  const membership = "0::/system.slice/docker-ab.scope\n";
  expect(cgroupPathsOf(7, "ab", reading(v2Mounts, membership))).toEqual({
    version: 2,
    unified: "/sys/fs/cgroup/system.slice/docker-ab.scope",
  });
});

test.each([
  [
    "is ending, which the kernel shows as the root",
    v1Mounts,
    "9:freezer:/\n8:pids:/\n4:memory:/\n3:cpu,cpuacct:/\n0::/\n",
  ],
  ["is ending, on cgroup v2", v2Mounts, "0::/\n"],
  ["has the pid of one that ended", v2Mounts, "0::/system.slice/docker-cd.scope\n"],
  [
    "has left one folder only",
    v1Mounts,
    "9:freezer:/\n8:pids:/docker/ab\n4:memory:/docker/ab\n3:cpu,cpuacct:/docker/ab\n0::/\n",
  ],
])("no folder is taken for a container's own by a process that %s", (_why, mounts, membership) => {
  expect(() => cgroupPathsOf(7, "ab", reading(mounts, membership))).toThrow("it has ended");
});

test("limits are written on v1 with memory never above memory and swap, in both directions", () => {
  const root = tree({
    "memory/memory.limit_in_bytes": "268435456\n",
    "memory/memory.memsw.limit_in_bytes": "268435456\n",
    "cpu/cpu.cfs_period_us": "100000\n",
    "cpu/cpu.cfs_quota_us": "-1\n",
    "cpu/cpu.cfs_burst_us": "0\n",
    "pids/pids.max": "max\n",
  });
  const at = (name: string) => join(root, name);
  const paths = {
    version: 1,
    memory: at("memory"),
    cpu: at("cpu"),
    cpuAccounting: at("cpuacct"),
    pids: at("pids"),
    freezer: at("f"),
  } as const;
  const read = (name: string) => readFileSync(at(name), "utf8");
  for (const memoryMiB of [512, 128]) {
    writeLimits(paths, { cpu: 0.5, memoryMiB, pids: 64 });
    expect(read("memory/memory.limit_in_bytes")).toBe(String(memoryMiB * 1024 * 1024));
    expect(read("memory/memory.memsw.limit_in_bytes")).toBe(String(memoryMiB * 1024 * 1024));
  }
  expect(Number(read("cpu/cpu.cfs_quota_us")) / Number(read("cpu/cpu.cfs_period_us"))).toBe(0.5);
  expect(read("cpu/cpu.cfs_burst_us")).toBe(read("cpu/cpu.cfs_quota_us"));
  expect(read("pids/pids.max")).toBe("64");
});

test("limits are written on v2", () => {
  const root = tree({
    "memory.max": "max",
    "memory.swap.max": "max",
    "cpu.max": "max 100000",
    "cpu.max.burst": "0",
    "pids.max": "max",
  });
  writeLimits({ version: 2, unified: root }, { cpu: 2, memoryMiB: 256, pids: 100 });
  expect(readFileSync(join(root, "memory.max"), "utf8")).toBe("268435456");
  expect(readFileSync(join(root, "memory.swap.max"), "utf8")).toBe("0");
  expect(readFileSync(join(root, "cpu.max"), "utf8")).toBe("40000 20000");
  expect(readFileSync(join(root, "cpu.max.burst"), "utf8")).toBe("40000");
  expect(readFileSync(join(root, "pids.max"), "utf8")).toBe("100");
});

const mib = 1024 * 1024;
const tight = { cpu: 1, memoryMiB: 128, pids: 64 };

/** Recorded trees of both versions, with so much memory in use and so much of it in the cache of files. */
function inUse(usedMiB: number, cachedMiB: number) {
  const v1 = tree({
    "m/memory.limit_in_bytes": String(512 * mib),
    "m/memory.memsw.limit_in_bytes": String(512 * mib),
    "m/memory.usage_in_bytes": String(usedMiB * mib),
    "m/memory.stat": `inactive_file 1\ntotal_inactive_file ${cachedMiB * mib}\ntotal_active_file 0\n`,
    "m/cpu.cfs_period_us": "20000",
    "m/cpu.cfs_quota_us": "20000",
    "m/pids.max": "256",
  });
  const v2 = tree({
    "m/memory.max": String(512 * mib),
    "m/memory.current": String(usedMiB * mib),
    "m/memory.stat": `anon 1\ninactive_file ${cachedMiB * mib}\nactive_file 0\n`,
    "m/cpu.max": "20000 20000",
    "m/pids.max": "256",
  });
  const at = join(v1, "m");
  return [
    { version: 1, memory: at, cpu: at, cpuAccounting: at, pids: at, freezer: at },
    { version: 2, unified: join(v2, "m") },
  ] as const;
}
const pidsMax = (paths: ReturnType<typeof inUse>[number]) =>
  readFileSync(join(paths.version === 1 ? paths.pids : paths.unified, "pids.max"), "utf8");

test("memory that is in use already is not taken away, and nothing else is changed then", () => {
  for (const paths of inUse(200, 50)) {
    expect(() => writeLimits(paths, tight)).toThrow(MemoryInUseError);
    expect(() => writeLimits(paths, tight)).toThrow("150 MiB are in use");
    expect(pidsMax(paths)).toBe("256");
  }
});

test("what only caches files does not keep a limit from being lowered", () => {
  for (const paths of inUse(200, 120)) {
    writeLimits(paths, tight);
    expect(pidsMax(paths)).toBe("64");
  }
});

test("limits that somebody has changed are written again, and only then", () => {
  for (const paths of inUse(1, 0)) {
    writeLimits(paths, tight);
    expect(keepLimits(paths, tight)).toEqual([]);
    const folder = paths.version === 1 ? paths.memory : paths.unified;
    const changed = paths.version === 1 ? "memory.limit_in_bytes" : "memory.max";
    writeFileSync(join(folder, changed), `${64 * mib}\n`);
    writeFileSync(join(folder, "pids.max"), "max\n");
    expect(keepLimits(paths, tight)).toEqual([changed, "pids.max"]);
    expect(keepLimits(paths, tight)).toEqual([]);
    expect(pidsMax(paths)).toBe("64");
  }
});

test("a cgroup that is gone has no limits to keep", () => {
  expect(keepLimits({ version: 2, unified: "/nowhere" }, tight)).toEqual([]);
});

test("memory kills are read from both versions, and a cgroup that is gone counts none", () => {
  expect(parseOomKills("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n")).toBe(3);
  expect(parseOomKills("low 0\nhigh 0\nmax 12\noom 2\noom_kill 1\noom_group_kill 0\n")).toBe(1);
  expect(oomKills({ version: 2, unified: "/nowhere" })).toBe(0);
});

test("a parked container gives its page cache back on v1 and v2, and a kernel that cannot is no failure", async () => {
  const memory = tree({ "memory.force_empty": "" });
  await reclaim({ version: 1, memory, cpu: memory, cpuAccounting: memory, pids: memory, freezer: memory });
  expect(readFileSync(join(memory, "memory.force_empty"), "utf8")).toBe("0");
  const unified = tree({ "memory.stat": "anon 4096\nfile 73728\nfile_mapped 4096\n", "memory.reclaim": "" });
  await reclaim({ version: 2, unified });
  expect(readFileSync(join(unified, "memory.reclaim"), "utf8")).toBe("73728");
  await reclaim({ version: 2, unified: "/nowhere" });
});

test("on v2 the kernel's own kill file is used", async () => {
  const root = tree({ "cgroup.kill": "", "cgroup.procs": "", "cgroup.freeze": "0" });
  expect(await killCgroup({ version: 2, unified: root })).toBe(true);
  expect(readFileSync(join(root, "cgroup.kill"), "utf8")).toBe("1");
  expect(readFileSync(join(root, "cgroup.freeze"), "utf8")).toBe("0");
});

test("a group that went while it was being killed is dead, not an error", async () => {
  const unified = tree({ "cgroup.procs": "", "cgroup.events": "frozen 1\n", "cgroup.kill/refused": "" });
  expect(await killCgroup({ version: 2, unified })).toBe(true);
});

test("a process that is not visible from here is never taken for one of ours", () => {
  // The kernel shows it as 0, and a signal to 0 goes to the sender's own group.
  const unified = tree({ "cgroup.procs": "0\n12\n0\n" });
  expect(processesOf({ version: 2, unified })).toEqual([12]);
});
