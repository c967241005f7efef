import { readFileSync, statfsSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";

/** Memory that may still be used, whoever holds what else there is. */
export function memory(): { availableMiB: number; totalMiB: number } {
  const text = readFileSync("/proc/meminfo", "utf8");
  const mib = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1] ?? 0) / 1024;
  return { availableMiB: mib("MemAvailable"), totalMiB: mib("MemTotal") };
}

export function freeDiskMiB(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return (bavail * bsize) / 1024 / 1024;
}

/** The process that serves: where the control plane runs in workerd, that is a child of the program we started. */
export function runtimeOf(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean);
  const served = children.find((child) => readFileSync(`/proc/${child}/comm`, "utf8") === "workerd\n");
  return served === undefined ? pid : Number(served);
}

/** From now on: by how much a process' resident memory exceeded what it is now, at the most. */
export function growthOf(pid: number): () => number {
  writeFileSync(`/proc/${pid}/clear_refs`, "5"); // the kernel forgets the peak
  const before = statusMiB(pid, "VmRSS");
  // The kernel counts in batches, so a peak can be a little below what was read before.
  return () => Math.max(0, statusMiB(pid, "VmHWM") - before);
}

function statusMiB(pid: number, field: "VmRSS" | "VmHWM"): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)?.[1] ?? Number.NaN) / 1024;
}

/** Time that all cores together have worked since the machine's start, in milliseconds. */
export function cpuTimes(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);
}

export function shareOfOneCore(beforeMs: number, afterMs: number, elapsedMs: number): number {
  return ((afterMs - beforeMs) / elapsedMs) * 100;
}
