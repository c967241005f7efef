import { readFileSync, writeFileSync } from "node:fs";
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

/** A control file as it is and as it should be; `now` is undefined where the kernel has no such file. */
type LimitFile = { path: string; value: string; now: string | undefined; isOptional: boolean };

function limitFile(folder: string, name: string, value: string, isOptional = false): LimitFile {
  const path = join(folder, name);
  return { path, value, now: read(path), isOptional };
}

/**
 * Writes the limits of a lease, those that differ: a lease that asks for no more than the pool has only reads.
 * @throws MemoryInUseError, and Error when the kernel refuses one of them for another reason
 */
export function writeLimits(paths: CgroupPaths, limits: CgroupLimits): void {
  const { memory, ...others } = limitFiles(paths, limits);
  refuseIfInUse(paths, memory[0]);
  for (const file of [...inOrder(memory), ...others.cpuPeriod, ...inOrder(others.cpu), others.pids]) {
    if (isDifferent(file)) write(paths, file);
  }
}

/**
 * Writes those limits again that are not what they should be: systemd, for one, resets what it finds on its own reload.
 * @returns the names of the files that were written; none where the cgroup is gone
 */
export function keepLimits(paths: CgroupPaths, limits: CgroupLimits): string[] {
  const { memory, cpuPeriod, cpu, pids } = limitFiles(paths, limits);
  const files = [...inOrder(memory), ...cpuPeriod, ...inOrder(cpu), pids];
  const changed = files.filter((file) => file.now !== undefined && isDifferent(file));
  for (const file of changed) write(paths, file);
  return changed.map(({ path }) => path.slice(path.lastIndexOf("/") + 1));
}

const isDifferent = ({ now, value, isOptional }: LimitFile) =>
  now !== value && !(isOptional && now === undefined);

type Pair = [lower: LimitFile, upper: LimitFile];
type LimitFiles = { memory: Pair; cpuPeriod: LimitFile[]; cpu: Pair; pids: LimitFile };

/** Optional: kernels without swap accounting have no limit of swap, and those before 5.14 no burst. */
function limitFiles(paths: CgroupPaths, limits: CgroupLimits): LimitFiles {
  const bytes = String(limits.memoryMiB * mib);
  const quota = cpuQuotaMicros(limits.cpu);
  const pids = String(limits.pids);
  if (paths.version === 2) {
    const at = paths.unified;
    return {
      memory: [limitFile(at, "memory.max", bytes), limitFile(at, "memory.swap.max", "0", true)],
      cpuPeriod: [],
      cpu: [
        limitFile(at, "cpu.max.burst", String(quota), true),
        limitFile(at, "cpu.max", `${quota} ${cpuPeriodMicros}`),
      ],
      pids: limitFile(at, "pids.max", pids),
    };
  }
  return {
    memory: [
      limitFile(paths.memory, "memory.limit_in_bytes", bytes),
      limitFile(paths.memory, "memory.memsw.limit_in_bytes", bytes, true),
    ],
    cpuPeriod: [limitFile(paths.cpu, "cpu.cfs_period_us", String(cpuPeriodMicros))],
    cpu: [
      limitFile(paths.cpu, "cpu.cfs_burst_us", String(quota), true),
      limitFile(paths.cpu, "cpu.cfs_quota_us", String(quota)),
    ],
    pids: limitFile(paths.pids, "pids.max", pids),
  };
}

/** Of a pair the lower one may never be above the upper one, not even between two writes. */
function inOrder([lower, upper]: Pair): LimitFile[] {
  return Number(lower.value) > Number(lower.now ?? 0) ? [upper, lower] : [lower, upper];
}

/** Version 2 takes any limit and kills down to it, version 1 says EBUSY after a long search: we look first. */
function refuseIfInUse(paths: CgroupPaths, { now, value }: LimitFile): void {
  if (Number(now) <= Number(value)) return; // not lowered
  const usedMiB = Math.ceil(workingSetBytes(paths) / mib);
  if (usedMiB * mib >= Number(value)) throw new MemoryInUseError(usedMiB);
}

/** @throws Error when the kernel refuses */
function write(paths: CgroupPaths, { path, value }: LimitFile): void {
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
