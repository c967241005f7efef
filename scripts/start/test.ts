import { spawn } from "node:child_process";
import { once } from "node:events";
import { join, resolve } from "node:path";
import type { Resolved } from "#contract/settings";
import { StopError } from "#templates/stop";
import { stopNewDaemonAfter, usualDaemon } from "./daemon.ts";
import { onStopSignal, printStop } from "./outcome.ts";
import { createRunner } from "./runner.ts";
import { loadSettings } from "./settings.ts";
import { prepareMachine } from "./steps.ts";

const root = join(import.meta.dirname, "..", "..");
const { signal } = onStopSignal();

try {
  const { values } = await loadSettings(process.env);
  const dataDir = resolve(values.SANDGATE_DATA_DIR);
  const runner = createRunner({ report: console.log });
  // An engine that was here before stays; one that the tests needed must not outlive them, nor a failed start of them.
  process.exitCode = await stopNewDaemonAfter(usualDaemon(dataDir), runner, () => runTests(dataDir, values));
} catch (error) {
  process.exitCode = printStop(error, signal);
}

async function runTests(dataDir: string, settings: Resolved): Promise<number> {
  await prepareMachine({ dataDir, settings, report: console.log, signal });
  for (const check of [["biome", "check", "."] as const, ["tsc"] as const]) {
    if ((await run(check)) !== 0) throw new StopError(`${check[0]} failed; what it said stands above.`);
  }
  // One run over all projects, last, so that the output ends with the runner's own summary.
  return run(["vitest", "run"]);
}

/** Runs one of the installed tools on this terminal and returns its exit code. */
async function run([program, ...args]: readonly [string, ...string[]]): Promise<number> {
  signal.throwIfAborted();
  const child = spawn(join(root, "node_modules", ".bin", program), args, { cwd: root, stdio: "inherit" });
  const stop = () => child.kill("SIGTERM");
  signal.addEventListener("abort", stop, { once: true });
  const [status] = await once(child, "exit");
  signal.removeEventListener("abort", stop);
  signal.throwIfAborted();
  return typeof status === "number" ? status : 1;
}
