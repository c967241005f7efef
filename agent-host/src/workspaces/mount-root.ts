import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { withParent } from "../with-parent.ts";
import { parseMountinfo } from "./mountinfo.ts";
import { runProgram } from "./program.ts";

export type MountRoot = {
  readonly path: string;
  /** Makes it, or takes over what a former life of this host has left. @throws Error where mounts cannot be made */
  open(): Promise<void>;
  /** The names in it; none where it was never made. */
  names(): string[];
  /** Removes it, unless something is still in it. */
  close(): void;
};

/**
 * The folder of one host that workspaces are mounted in. It is a file system of its own for three reasons: mounts
 * pass from it into containers whatever the machine's root does; the folder that a container sees until its disk is
 * there holds nothing of the machine and takes nothing from a tenant; and nobody but root comes in.
 */
export function createMountRoot(runDir: string, hostId: string): MountRoot {
  const path = join(runDir, `workspaces-${hostId}`);

  async function open(): Promise<void> {
    withParent(runDir, () => mkdirSync(path, { recursive: true, mode: 0o700 }));
    if (!mountAt(path)) {
      const options = "size=1m,mode=0700,nosuid,nodev,noexec";
      await runProgram("mount", ["-t", "tmpfs", "-o", options, "sandgate-workspaces", path]);
    }
    if (!mountAt(path)?.isShared) await runProgram("mount", ["--make-shared", path]);
  }
  function names(): string[] {
    try {
      return readdirSync(path);
    } catch {
      return [];
    }
  }
  function close(): void {
    if (names().length > 0) return; // of sandboxes that the next life of this host adopts
    try {
      if (mountAt(path)) execFileSync("umount", [path], { stdio: "pipe" });
      rmdirSync(path);
    } catch {
      // Never made, or in use by somebody who looks into it.
    }
  }
  return { path, open, names, close };
}

function mountAt(path: string) {
  return parseMountinfo(readFileSync("/proc/self/mountinfo", "utf8")).findLast(({ point }) => point === path);
}
