import { readFileSync } from "node:fs";

/** A clock that never jumps. It runs on across processes and begins anew when the machine does. */
export type Boot = { bootId: string; monotonicMs: () => number };

/** @throws Error on a machine whose kernel does not tell its boots apart */
export function thisBoot(): Boot {
  const bootId = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  return { bootId, monotonicMs: () => Number(process.hrtime.bigint() / 1_000_000n) };
}
