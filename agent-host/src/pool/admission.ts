import { openSync, readSync } from "node:fs";
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

const meminfoMaxBytes = 16 * 1024;
let meminfo: number | undefined;

/**
 * Timers and admission ask for this, and must not fail for want of a descriptor: the file stays open, and is written
 * anew by the kernel each time it is read from its beginning.
 */
export function readMachineMemory(): Pick<MemoryFacts, "totalMiB" | "availableMiB"> {
  meminfo ??= openSync("/proc/meminfo", "r");
  const text = Buffer.alloc(meminfoMaxBytes);
  const bytes = readSync(meminfo, text, 0, text.length, 0);
  const shown = text.toString("latin1", 0, bytes);
  const availableKiB = Number(/^MemAvailable:\s+(\d+) kB$/m.exec(shown)?.[1] ?? 0);
  return { totalMiB: Math.floor(totalmem() / 1024 / 1024), availableMiB: Math.floor(availableKiB / 1024) };
}
