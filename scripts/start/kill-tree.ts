import { readdir, readFile } from "node:fs/promises";
import { runCommand } from "./command.ts";
import type { RootAccess } from "./runner.ts";

/** Kills a process and all its descendants at once; what belongs to root goes through sudo. */
export async function killTree(pid: number, access: RootAccess): Promise<void> {
  const pids = (await descendants(pid)).map(String);
  const sudo = access === "sudo" ? ["sudo", "-n"] : [];
  // The shell's own kill: the program is not on every machine. Some may be gone by now, which is what is wanted.
  await runCommand([...sudo, "sh", "-c", 'kill -KILL "$@"', "sh", ...pids]).catch(() => undefined);
}

async function descendants(root: number): Promise<number[]> {
  const children = new Map<number, number[]>();
  for (const entry of await readdir("/proc")) {
    const line = /^\d+$/.test(entry) ? await readFile(`/proc/${entry}/stat`, "utf8").catch(() => "") : "";
    const parent = Number(line.slice(line.lastIndexOf(")") + 2).split(" ")[1]);
    if (line !== "") children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
  }
  const found = [root];
  // Grows while it is walked: each process adds its children behind itself.
  for (const pid of found) found.push(...(children.get(pid) ?? []));
  return found;
}
