import { rmSync } from "node:fs";
import { join } from "node:path";
import { uidFolder } from "#host/uids/claim";
import { containersOf, foldersOf, removeContainer, runDir, uidsOf } from "../support/traces.ts";

/** Removes what a host has left that had to be killed because it took too long to drain. */
export async function removeLeft(hostId: string): Promise<void> {
  for (const container of await containersOf(hostId)) await removeContainer(container);
  for (const name of foldersOf(hostId)) rmSync(join(runDir, name), { recursive: true, force: true });
  for (const uid of uidsOf(hostId)) rmSync(join(uidFolder, String(uid)), { force: true });
}
