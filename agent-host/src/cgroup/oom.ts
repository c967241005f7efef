import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { CgroupPaths } from "./paths.ts";

/** How many processes the kernel has killed here for memory; 0 where the cgroup is gone. */
export function oomKills(paths: CgroupPaths): number {
  const file =
    paths.version === 2 ? join(paths.unified, "memory.events") : join(paths.memory, "memory.oom_control");
  try {
    return parseOomKills(readFileSync(file, "utf8"));
  } catch {
    return 0;
  }
}

/** Both versions have a line `oom_kill N`; engines report nothing for a process that is not PID 1. */
export function parseOomKills(text: string): number {
  return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
}
