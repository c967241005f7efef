import { startEdgeStack } from "../edge/stack.ts";
import { startHostOnly } from "./host-only.ts";
import { onStopSignal, printStop } from "./outcome.ts";
import { canShowLive } from "./progress.ts";
import { runSandgate } from "./run.ts";
import { loadSettings } from "./settings.ts";
import { startStack } from "./stack.ts";
import { prepareMachine } from "./steps.ts";

/** What is started on this machine; `package.json` has the names. */
function starter() {
  if (process.argv.includes("--edge")) return startEdgeStack;
  return process.argv.includes("--host") ? startHostOnly : startStack;
}

const { signal } = onStopSignal();
try {
  const settings = await loadSettings(process.env);
  const prepared = await prepareMachine({
    dataDir: settings.values.SANDGATE_DATA_DIR,
    settings: settings.values,
    report: console.log,
    isLive: canShowLive(process.stdout),
    signal,
  });
  await runSandgate(prepared, { settings, signal, start: starter() });
} catch (error) {
  process.exitCode = printStop(error, signal);
}
