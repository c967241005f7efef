import { onStopSignal, printStop } from "./outcome.ts";
import { canShowLive } from "./progress.ts";
import { runSandgate } from "./run.ts";
import { loadSettings } from "./settings.ts";
import { prepareMachine } from "./steps.ts";

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
  await runSandgate(prepared, { settings, signal });
} catch (error) {
  process.exitCode = printStop(error, signal);
}
