import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StopError } from "#templates/stop";

/**
 * Opens a way to an engine that lets only root in, for a user with passwordless sudo: a root process that passes bytes
 * between the engine's socket and one of our own. It gives nobody anything that sudo does not give already, and it
 * ends with its standard input, so not even a crash of ours leaves it behind.
 */
export async function openRelay(socketPath: string): Promise<{ path: string; close(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), "sandgate-relay-"));
  const path = join(folder, "sock");
  const script = join(import.meta.dirname, "relay-process.mjs");
  const command = ["-n", process.execPath, script, socketPath, path, String(process.getuid?.() ?? 0)];
  const child = spawn("sudo", command, { stdio: ["pipe", "pipe", "ignore"] });
  const ready = await Promise.race([
    once(child.stdout, "data").then(() => true),
    once(child, "close").then(() => false),
  ]);
  if (!ready) {
    await rm(folder, { recursive: true, force: true });
    throw new StopError(`The Docker engine at ${socketPath} lets only root in, and sudo did not help.`);
  }
  return {
    path,
    close: async () => {
      child.stdin.end();
      if (child.exitCode === null) await once(child, "close");
      await rm(folder, { recursive: true, force: true });
    },
  };
}
