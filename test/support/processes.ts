import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const script = fileURLToPath(new URL("./create-process.ts", import.meta.url));
const run = promisify(execFile);

/** Runs the same order in several processes at once and returns what each printed. */
export async function inProcesses(count: number, order: unknown, timeoutMs = 30_000): Promise<unknown[]> {
  const runs = Array.from({ length: count }, () =>
    run(process.execPath, ["--import", "tsx", script, JSON.stringify(order)], { timeout: timeoutMs }),
  );
  return (await Promise.all(runs)).map(({ stdout }) => JSON.parse(stdout));
}
