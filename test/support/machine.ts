import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { resolveSettings } from "#contract/settings";
import { type PreparedMachine, prepareMachine } from "../../scripts/start/steps.ts";

let prepared: Promise<PreparedMachine> | undefined;

/** This machine, ready for sandboxes. `npm test` has prepared it before; a suite run alone prepares it here. */
export function machine(): Promise<PreparedMachine> {
  const { values } = resolveSettings(process.env);
  prepared ??= prepareMachine({
    dataDir: values.SANDGATE_DATA_DIR,
    settings: values,
    report: () => undefined,
  });
  return prepared;
}

/** A folder of the test's own. */
export function scratchFolder(): { path: string; dispose(): void } {
  const path = mkdtempSync(join(tmpdir(), "sandgate-test-"));
  return { path, dispose: () => rmSync(path, { recursive: true, force: true }) };
}
