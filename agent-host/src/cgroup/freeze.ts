import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { CgroupPaths } from "./paths.ts";

const attemptsMax = 100;

/**
 * Stops every process of a container where it is.
 * @returns whether the kernel has reported it as frozen within about 0.2 s.
 */
export async function freeze(paths: CgroupPaths): Promise<boolean> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    // v1 can miss a process that forked meanwhile; writing again picks it up.
    if (!request(paths, true)) return false;
    if (isFrozen(paths)) return true;
    await sleep(2);
  }
  return false;
}

/** Lets a container go on; a cgroup that is gone is left alone. */
export function thaw(paths: CgroupPaths): void {
  request(paths, false);
}

function request(paths: CgroupPaths, frozen: boolean): boolean {
  try {
    if (paths.version === 2) writeFileSync(join(paths.unified, "cgroup.freeze"), frozen ? "1" : "0");
    else writeFileSync(join(paths.freezer, "freezer.state"), frozen ? "FROZEN" : "THAWED");
    return true;
  } catch {
    return false;
  }
}

export function isFrozen(paths: CgroupPaths): boolean {
  try {
    return paths.version === 2
      ? /^frozen 1$/m.test(readFileSync(join(paths.unified, "cgroup.events"), "utf8"))
      : readFileSync(join(paths.freezer, "freezer.state"), "utf8").trim() === "FROZEN";
  } catch {
    return false;
  }
}
