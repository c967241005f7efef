import { readFile } from "node:fs/promises";

/** The start of a process in ticks since boot, or nothing when it is gone: a pid alone may belong to another by now. */
export async function processStart(pid: number): Promise<string | undefined> {
  const line = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  // The second field is the program's name and may hold blanks and parentheses.
  const [state, ...rest] = line?.slice(line.lastIndexOf(")") + 2).split(" ") ?? [];
  return state === "Z" ? undefined : rest[18];
}
