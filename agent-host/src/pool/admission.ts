import { readFileSync } from "node:fs";
import { totalmem } from "node:os";

export type MemoryFacts = {
  totalMiB: number;
  availableMiB: number;
  /** Sum of the memory limits of everything that lives here. */
  promisedMiB: number;
  overcommit: number;
  /** Kept available for the machine itself. */
  reserveMiB: number;
};

/** Memory that may still be promised: limits may exceed RAM by the overcommit, but never while RAM is short. */
export function freeMemoryMiB(facts: MemoryFacts): number {
  if (facts.availableMiB < facts.reserveMiB) return 0;
  return Math.max(0, Math.floor(facts.totalMiB * facts.overcommit) - facts.promisedMiB);
}

export function readMachineMemory(): Pick<MemoryFacts, "totalMiB" | "availableMiB"> {
  const meminfo = readFileSync("/proc/meminfo", "utf8");
  const availableKiB = Number(/^MemAvailable:\s+(\d+) kB$/m.exec(meminfo)?.[1] ?? 0);
  return { totalMiB: Math.floor(totalmem() / 1024 / 1024), availableMiB: Math.floor(availableKiB / 1024) };
}
