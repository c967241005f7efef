import { resolve } from "node:path";
import { formatFinding } from "#host/preflight/finding";
import { StopError } from "#templates/stop";
import { readNodeSettings } from "#worker/node-settings";
import { runDemo } from "./demo.ts";
import { canShowLive, runStep } from "./progress.ts";
import { rootAccess } from "./runner.ts";
import { type ResolvedSettings, settingsTable } from "./settings.ts";
import type { Stack, startStack } from "./stack.ts";
import type { PreparedMachine } from "./steps.ts";

type RunContext = { settings: ResolvedSettings; signal: AbortSignal; start: typeof startStack };

/**
 * Runs Sandgate on a prepared machine: the control plane, one agent-host and the demo, then stays until the signal
 * aborts or a part dies. @throws StopError with one sentence
 */
export async function runSandgate(
  prepared: PreparedMachine,
  { settings, signal, start }: RunContext,
): Promise<void> {
  const { values } = settings;
  const dataDir = resolve(values.SANDGATE_DATA_DIR);
  const environment = { ...process.env, DOCKER_HOST: `unix://${prepared.engine.socketPath}` };
  const asRoot = await rootPrefix();
  const show = { report: console.log, isLive: canShowLive(process.stdout) };
  const stack = await runStep(show, "Control plane and agent-host", async () => {
    const value = await start({ prepared, dataDir, environment, asRoot });
    return { value, sentence: `Control plane at ${value.url}, agent-host at ${value.hostUrl}` };
  });
  try {
    signal.throwIfAborted();
    await introduce(stack, prepared, settings);
    const sentence = await Promise.race([stack.controlPlane.died, stack.agentHost.died, aborted(signal)]);
    if (sentence !== undefined) throw new StopError(sentence);
    console.log("\nDraining.");
  } finally {
    await stack.stop();
  }
  const { startedByUs, socketPath } = prepared.engine;
  console.log(
    startedByUs
      ? `Nothing of Sandgate runs any more, but for the Docker engine that it started (${socketPath}).`
      : "Nothing of Sandgate runs any more.",
  );
}

async function introduce(stack: Stack, prepared: PreparedMachine, settings: ResolvedSettings): Promise<void> {
  console.log("\nSettings");
  // Read again: the secrets of a fresh data folder have only just been made.
  for (const line of settingsTable(await readNodeSettings(process.env))) console.log(`  ${line}`);
  console.log("\nThis machine");
  for (const finding of stack.findings) console.log(`  ${formatFinding(finding)}`);
  for (const { name, image } of prepared.templates) console.log(`  image of ${name}: ${image}`);
  const demo = await runDemo({ url: stack.url, key: stack.apiKey });
  console.log("\nDemo: docs/demo/words.py counted docs/demo/gettysburg.txt in a sandbox\n");
  for (const line of demo.output.trimEnd().split("\n")) console.log(`  ${line}`);
  const ms = (value: number) => `${value.toFixed(1)} ms`;
  console.log(
    `\n  lease ${ms(demo.createMs)}, first exec ${ms(demo.firstExecMs)}, python program ${ms(demo.execMs)}\n`,
  );
  for (const line of nextSteps(stack.url, settings.values.SANDGATE_DATA_DIR)) console.log(line);
}

function nextSteps(url: string, dataDir: string): string[] {
  return [
    `Ready at ${url}. Ctrl-C drains and stops. Try, in another terminal:`,
    "",
    `  . ${dataDir}/dev.env`,
    '  ID=$(curl -s -X POST "$SANDGATE_URL/v1/sandboxes" -H "Authorization: Bearer $SANDGATE_API_KEY" \\',
    '    -H "Content-Type: application/json" -d \'{"template":"python"}\' | sed -E \'s/.*"id":"([a-z0-9]+)".*/\\1/\')',
    '  curl -s "$SANDGATE_URL/v1/sandboxes/$ID/exec" -H "Authorization: Bearer $SANDGATE_API_KEY" \\',
    '    -H "Content-Type: application/json" -d \'{"command":"python3 -c \\"print(6*7)\\""}\'; echo',
    '  curl -s -X DELETE "$SANDGATE_URL/v1/sandboxes/$ID" -H "Authorization: Bearer $SANDGATE_API_KEY"',
  ];
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
}

async function rootPrefix(): Promise<string[]> {
  const access = await rootAccess();
  if (access === "root") return [];
  if (access === "sudo") return ["sudo", "-n", "--preserve-env"];
  throw new StopError(
    "The agent-host needs root; run npm start as root or allow this user passwordless sudo.",
  );
}
