import { statfsSync } from "node:fs";
import { join } from "node:path";

/** What a workspace holds and may hold, as a program in the sandbox would see it. */
export type WorkspaceUsage = { bytes: number; inodes: number; limitBytes: number; inodesLimit: number };

/**
 * Of the workspace in a container's own view, on disk or in memory. `/workspace` is a mount in a read-only system, so
 * no tenant can put anything else there. @param pid the container's first process
 * @throws Error when it is gone
 */
export function readWorkspaceUsage(pid: number): WorkspaceUsage {
  const { blocks, bfree, bsize, files, ffree } = statfsSync(join("/proc", String(pid), "root", "workspace"));
  return {
    bytes: (blocks - bfree) * bsize,
    inodes: files - ffree,
    limitBytes: blocks * bsize,
    inodesLimit: files,
  };
}
