import { join } from "node:path";
import { type Child, startChild } from "../../../scripts/start/child.ts";
import { scratchFolder } from "../../support/machine.ts";
import type { Cleanups } from "../cleanups.ts";

/** Starts one of the benchmark's own servers as a process, so that it and the generator do not share a thread. @returns where */
export async function startProgram(cleanups: Cleanups, name: string, entry: string): Promise<string> {
  const folder = scratchFolder();
  let starting: Promise<Child> | undefined;
  // Before it is there: an interruption waits until it is, and ends it.
  cleanups.add(async () => {
    await (await starting?.catch(() => undefined))?.stop();
    folder.dispose();
  });
  starting = startChild({ name, entry, environment: process.env, logPath: join(folder.path, "program.log") });
  return String((await (await starting).ready).url);
}
