import { stopSentence } from "#templates/stop";

const signalExitCode = { SIGINT: 130, SIGTERM: 143 } as const;
type StopSignal = keyof typeof signalExitCode;

/** A signal that aborts on Ctrl-C or SIGTERM; a second one ends the process at once. */
export function onStopSignal(): AbortController {
  const controller = new AbortController();
  for (const name of Object.keys(signalExitCode) as StopSignal[]) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(signalExitCode[name]);
      controller.abort(name);
    });
  }
  return controller;
}

/** Prints why we stop, one sentence where one will do, and returns the exit code. */
export function printStop(error: unknown, signal: AbortSignal): number {
  if (signal.aborted) {
    console.error("Stopped.");
    return signal.reason === "SIGTERM" ? signalExitCode.SIGTERM : signalExitCode.SIGINT;
  }
  console.error(stopSentence(error) ?? error);
  return 1;
}
