import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freeze, thaw } from "./freeze.ts";
import type { CgroupPaths } from "./paths.ts";

const attemptsMax = 20;
const pauseMs = 5;

/**
 * Kills every process of a container from outside, also under a fork bomb (98 processes in 0.2 s where
 * `docker rm -f` took 8.7), and waits until none is left.
 * @returns whether the cgroup is empty; false after about a second of trying.
 */
export async function killCgroup(paths: CgroupPaths): Promise<boolean> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    if (attempt % 5 === 0) await killOnce(paths);
    if (processesOf(paths).length === 0) return true;
    await sleep(pauseMs * (attempt + 1));
  }
  return processesOf(paths).length === 0;
}

async function killOnce(paths: CgroupPaths): Promise<void> {
  if (paths.version === 2 && killAtOnce(paths.unified)) return;
  try {
    // Nothing forks while frozen, so one pass reaches every process; the signal acts on thawing.
    await freeze(paths);
    for (const pid of processesOf(paths)) signal(pid, "SIGKILL");
  } finally {
    thaw(paths);
  }
}

/**
 * Asks the processes of one user in a container to end, all of them at the same moment. Frozen, none can end before it
 * is reached, so no signal goes to a stranger with its number; a container that does not freeze gets none.
 */
export async function terminate(paths: CgroupPaths, uid: number): Promise<void> {
  try {
    if (!(await freeze(paths))) return;
    for (const pid of processesOf(paths)) if (uidOf(pid) === uid) signal(pid, "SIGTERM");
  } finally {
    thaw(paths);
  }
}

/** The real uid; a process's folder belongs to root where it may not be traced. */
function uidOf(pid: number): number | undefined {
  try {
    return Number(/^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
  } catch {
    return undefined;
  }
}

/** @returns false where the kernel does not know it (before 5.14), or the cgroup has just gone. */
function killAtOnce(folder: string): boolean {
  const file = join(folder, "cgroup.kill");
  if (!existsSync(file)) return false;
  try {
    writeFileSync(file, "1");
    return true;
  } catch {
    return false;
  }
}

function signal(pid: number, name: "SIGKILL" | "SIGTERM"): void {
  try {
    process.kill(pid, name);
  } catch {
    // Gone already, which is what is wanted.
  }
}

/** The process ids in a container's cgroup that this host sees; none where the cgroup is gone. */
export function processesOf(paths: CgroupPaths): number[] {
  const folder = paths.version === 2 ? paths.unified : paths.freezer;
  try {
    const pids = readFileSync(join(folder, "cgroup.procs"), "utf8").split("\n").map(Number);
    // 0 stands for a process of another pid namespace; a signal to 0 would go to our own group.
    return pids.filter((pid) => pid > 0);
  } catch {
    return [];
  }
}
