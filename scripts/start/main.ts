import { startEdgeStack } from "../edge/stack.ts";
import { onStopSignal, printStop } from "./outcome.ts";
import { canShowLive } from "./progress.ts";
import { runSandgate } from "./run.ts";
import { loadSettings } from "./settings.ts";
import { startStack } from "./stack.ts";
import { prepareMachine } from "./steps.ts";

/** `npm run dev:edge`: the control plane in workerd, with its database over HTTP. */
const start = process.argv.includes("--edge") ? startEdgeStack : startStack;

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
  await runSandgate(prepared, { settings, signal, start });
} catch (error) {
  process.exitCode = printStop(error, signal);
}
