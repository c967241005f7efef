import { readFileSync } from "node:fs";
import { cpus } from "node:os";

/** Memory that may still be used, whoever holds what else there is. */
export function memory(): { availableMiB: number; totalMiB: number } {
  const text = readFileSync("/proc/meminfo", "utf8");
  const mib = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1] ?? 0) / 1024;
  return { availableMiB: mib("MemAvailable"), totalMiB: mib("MemTotal") };
}

/** Memory of a process and of all that it has started. */
export function residentMiB(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const own = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1024;
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean);
  return children.reduce((sum, child) => sum + residentMiB(Number(child)), own);
}

/** Time that all cores together have worked since the machine's start, in milliseconds. */
export function cpuTimes(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);
}

export function shareOfOneCore(beforeMs: number, afterMs: number, elapsedMs: number): number {
  return ((afterMs - beforeMs) / elapsedMs) * 100;
}
