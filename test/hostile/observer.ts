import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { processesOf } from "#host/cgroup/kill";
import { oomKills } from "#host/cgroup/oom";
import { type CgroupPaths, cgroupPathsOf } from "#host/cgroup/paths";
import { createEngine, engineSocketPath } from "#host/engine/request";
import { Lease } from "#host/leases/store";

const ticksPerSecond = 100; // USER_HZ, fixed in the kernel's interface to user space
const deadlineMs = 10_000;

/** A sandbox from outside: nothing here is asked of the sandbox itself. */
export type HostView = {
  lease: Lease;
  uid: number;
  /** sandboxd, as this machine numbers it. */
  pid1: number;
  cgroup: CgroupPaths;
  container: string;
  processes(): number[];
  /** Those of the tenant, whatever they call themselves. */
  tenantProcesses(): number[];
  isRunning(): Promise<boolean>;
  oomKills(): number;
  pidsNow(): number;
  pidsRefused(): number;
  throttledPeriods(): number;
  memoryBytes(): number;
  /** Processor time of the processes that are alive now. */
  cpuSeconds(): number;
};

type Listed = { Id: string };
type Inspected = { State: { Pid: number; Running: boolean } };

export async function observe(sandboxId: string, dataDir: string): Promise<HostView> {
  const lease = leaseOf(sandboxId, dataDir);
  const engine = createEngine(engineSocketPath(process.env.DOCKER_HOST));
  const get = <T>(path: string) => engine.json<T>({ method: "GET", path, deadlineMs });
  const filters = encodeURIComponent(JSON.stringify({ label: [`sandgate.member=${lease.memberId}`] }));
  const [found] = await get<Listed[]>(`/containers/json?all=1&filters=${filters}`);
  if (!found) throw new Error("The engine has no container for this sandbox.");
  const inspect = () => get<Inspected>(`/containers/${found.Id}/json`);
  const pid1 = (await inspect()).State.Pid;
  const cgroup = cgroupPathsOf(pid1, found.Id);
  const uid = Number(/--uid\0(\d+)/.exec(readFileSync(`/proc/${pid1}/cmdline`, "utf8"))?.[1]);
  expect(uid).toBeGreaterThan(0);
  return {
    lease,
    uid,
    pid1,
    cgroup,
    container: found.Id,
    processes: () => processesOf(cgroup),
    tenantProcesses: () => processesOf(cgroup).filter((pid) => uidOf(pid) === uid),
    isRunning: async () => (await inspect()).State.Running,
    oomKills: () => oomKills(cgroup),
    pidsNow: () => Number(read(folder(cgroup, "pids"), "pids.current")),
    pidsRefused: () => field(read(folder(cgroup, "pids"), "pids.events"), "max"),
    throttledPeriods: () => field(read(folder(cgroup, "cpu"), "cpu.stat"), "nr_throttled"),
    memoryBytes: () =>
      Number(
        read(folder(cgroup, "memory"), cgroup.version === 2 ? "memory.current" : "memory.usage_in_bytes"),
      ),
    cpuSeconds: () => processesOf(cgroup).reduce((sum, pid) => sum + cpuSecondsOf(pid), 0),
  };
}

/** Every process of this machine that runs as a uid, in whatever container. */
export function processesOfUid(uid: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => uidOf(pid) === uid);
}

/** A line such as `Uid:` of a process' status, as this machine's kernel tells it. */
export function statusOf(pid: number, name: string): string | undefined {
  try {
    return new RegExp(`^${name}:[ \\t]*(.*)$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  } catch {
    return undefined;
  }
}

const uidOf = (pid: number) => Number(statusOf(pid, "Uid")?.split(/\s+/)[0] ?? Number.NaN);
const read = (path: string, name: string) => readFileSync(join(path, name), "utf8");
const field = (text: string, name: string) =>
  Number(new RegExp(`^${name} (\\d+)$`, "m").exec(text)?.[1] ?? Number.NaN);

function folder(cgroup: CgroupPaths, controller: "pids" | "cpu" | "memory"): string {
  return cgroup.version === 2 ? cgroup.unified : cgroup[controller];
}

/** Own time and that of children it has waited for. */
function cpuSecondsOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / ticksPerSecond;
  } catch {
    return 0;
  }
}

function leaseOf(sandboxId: string, dataDir: string): Lease {
  const leases = join(dataDir, "host", "leases");
  const name = readdirSync(leases).find((file) => file.startsWith(`${sandboxId}-`));
  if (!name) throw new Error("The host has no lease for this sandbox.");
  return Lease.parse(JSON.parse(readFileSync(join(leases, name), "utf8")));
}
