import type { ResolvedSettings } from "./settings.ts";
import { settingsTable } from "./settings.ts";
import type { PreparedMachine } from "./steps.ts";

type RunContext = { settings: ResolvedSettings; signal: AbortSignal };

/**
 * Runs Sandgate on a prepared machine until the signal aborts.
 * What comes after the machine (database, control plane, agent-host, demo) starts here.
 */
export async function runSandgate(prepared: PreparedMachine, { settings }: RunContext): Promise<void> {
  const { engine, image, templateDigest, sandboxdPath } = prepared;
  console.log("");
  for (const line of settingsTable(settings)) console.log(line);
  console.log("");
  console.log(
    `engine    ${engine.socketPath}${engine.startedByUs ? " (started by us; it stays when we end)" : ""}`,
  );
  console.log(`image     ${image} (${templateDigest})`);
  console.log(`sandboxd  ${sandboxdPath}`);
}
