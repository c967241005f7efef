import { execFileSync } from "node:child_process";
import { rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { uidFolder } from "#host/uids/claim";
import {
  containersOf,
  foldersOf,
  mountPointsOf,
  removeContainer,
  runDir,
  uidsOf,
  workspaceRootOf,
} from "../support/traces.ts";

/** Removes what a host has left that had to be killed because it took too long to drain. */
export async function removeLeft(hostId: string): Promise<void> {
  for (const container of await containersOf(hostId)) await removeContainer(container);
  const root = workspaceRootOf(hostId);
  // The newest first: disks are mounted in a file system of the host's own.
  const points = mountPointsOf(root).toReversed();
  for (const point of points) execFileSync("umount", ["--lazy", point]);
  if (points.length > 0) rmdirSync(root);
  for (const name of foldersOf(hostId)) rmSync(join(runDir, name), { recursive: true, force: true });
  for (const uid of uidsOf(hostId)) rmSync(join(uidFolder, String(uid)), { force: true });
}
