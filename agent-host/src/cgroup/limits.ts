import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { workingSetBytes } from "./memory.ts";
import type { CgroupPaths } from "./paths.ts";

export type CgroupLimits = { cpu: number; memoryMiB: number; pids: number };

/**
 * A short period, so that a command that used up its share waits 20 ms and not 100; and a burst of one more share for
 * who was quiet before, so that a short command does not meet the end of a period at all. Over time the share is the same.
 */
export const cpuPeriodMicros = 20_000;

export const cpuQuotaMicros = (cpu: number) => Math.round(cpu * cpuPeriodMicros);

const mib = 1024 * 1024;

/** What is in use already does not fit into a lower limit. */
export class MemoryInUseError extends Error {
  readonly usedMiB: number;
  constructor(usedMiB: number, options?: ErrorOptions) {
    super(`${usedMiB} MiB are in use.`, options);
    this.usedMiB = usedMiB;
  }
}

type LimitFile = { path: string; value: string; isOptional?: true };

/**
 * Writes the limits of a lease; plain file writes, 0.05 ms where `docker update` takes 10.
 * @throws MemoryInUseError, and Error when the kernel refuses one of them for another reason
 */
export function writeLimits(paths: CgroupPaths, limits: CgroupLimits): void {
  refuseIfInUse(paths, limits.memoryMiB);
  for (const file of limitFiles(paths, limits)) write(paths, file);
}

/**
 * Writes those limits again that are not what they should be: systemd, for one, resets what it finds on its own reload.
 * @returns the names of the files that were written; none where the cgroup is gone
 */
export function keepLimits(paths: CgroupPaths, limits: CgroupLimits): string[] {
  const files = limitFiles(paths, limits);
  const changed = files.filter(({ path, value }) => (read(path) ?? value) !== value);
  if (changed.length === 0) return [];
  for (const file of files) write(paths, file);
  return changed.map(({ path }) => path.slice(path.lastIndexOf("/") + 1));
}

/** In the order in which they can be written, which depends on the direction. */
function limitFiles(paths: CgroupPaths, limits: CgroupLimits): LimitFile[] {
  const bytes = String(limits.memoryMiB * mib);
  const quota = cpuQuotaMicros(limits.cpu);
  const pids = String(limits.pids);
  if (paths.version === 2) {
    const at = (name: string) => join(paths.unified, name);
    return [
      { path: at("memory.max"), value: bytes },
      { path: at("memory.swap.max"), value: "0", isOptional: true },
      ...cpuFiles(quota, { path: at("cpu.max"), value: `${quota} ${cpuPeriodMicros}` }, at("cpu.max.burst")),
      { path: at("pids.max"), value: pids },
    ];
  }
  const cpuAt = (name: string) => join(paths.cpu, name);
  const share: LimitFile = { path: cpuAt("cpu.cfs_quota_us"), value: String(quota) };
  return [
    ...memoryFilesV1(paths.memory, bytes),
    { path: cpuAt("cpu.cfs_period_us"), value: String(cpuPeriodMicros) },
    ...cpuFiles(quota, share, cpuAt("cpu.cfs_burst_us")),
    { path: join(paths.pids, "pids.max"), value: pids },
  ];
}

/** A burst may never be above the share; kernels before 5.14 have none. */
function cpuFiles(quota: number, share: LimitFile, burstPath: string): LimitFile[] {
  const burst: LimitFile = { path: burstPath, value: String(quota), isOptional: true };
  const isLowered = quota < Number.parseInt(read(share.path) ?? "", 10);
  return isLowered ? [burst, share] : [share, burst];
}

const memoryFileV1 = (folder: string) => join(folder, "memory.limit_in_bytes");

/** Memory may never be above memory + swap, not even between two writes. */
function memoryFilesV1(folder: string, value: string): LimitFile[] {
  const memory: LimitFile = { path: memoryFileV1(folder), value };
  const withSwap: LimitFile = { path: join(folder, "memory.memsw.limit_in_bytes"), value, isOptional: true };
  const isRaised = BigInt(value) > BigInt(read(memory.path) ?? 0);
  return isRaised ? [withSwap, memory] : [memory, withSwap];
}

/** Version 2 takes any limit and kills down to it, version 1 says EBUSY after a long search: we look first. */
function refuseIfInUse(paths: CgroupPaths, memoryMiB: number): void {
  const now = read(paths.version === 2 ? join(paths.unified, "memory.max") : memoryFileV1(paths.memory));
  if (Number(now) <= memoryMiB * mib) return; // not lowered
  const usedMiB = Math.ceil(workingSetBytes(paths) / mib);
  if (usedMiB >= memoryMiB) throw new MemoryInUseError(usedMiB);
}

/** @throws Error when the kernel refuses */
function write(paths: CgroupPaths, { path, value, isOptional }: LimitFile): void {
  // Kernels without swap accounting lack its file, and then there is no swap to bound.
  if (isOptional && !existsSync(path)) return;
  try {
    writeFileSync(path, value);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EBUSY") throw cause;
    throw new MemoryInUseError(Math.ceil(workingSetBytes(paths) / mib), { cause });
  }
}

/** The value of a control file; undefined where it is not there. */
function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return undefined;
  }
}
