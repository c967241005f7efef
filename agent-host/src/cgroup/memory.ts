import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { CgroupPaths } from "./paths.ts";

/** Bytes in use that the kernel could not give back by dropping cached files; 0 where the cgroup is gone. */
export function workingSetBytes(paths: CgroupPaths): number {
  const [folder, usage, prefix] =
    paths.version === 2
      ? [paths.unified, "memory.current", ""]
      : [paths.memory, "memory.usage_in_bytes", "total_"];
  try {
    const used = Number(readFileSync(join(folder, usage), "utf8"));
    return Math.max(0, used - cachedBytes(readFileSync(join(folder, "memory.stat"), "utf8"), prefix));
  } catch {
    return 0;
  }
}

function cachedBytes(stat: string, prefix: string): number {
  const field = (name: string) => Number(new RegExp(`^${prefix}${name} (\\d+)$`, "m").exec(stat)?.[1] ?? 0);
  return field("inactive_file") + field("active_file");
}
