import { StopError } from "#templates/stop";
import { readNodeSettings } from "#worker/node-settings";
import type { Child } from "./child.ts";
import { type Stack, type StackInput, startStack } from "./stack.ts";

/**
 * Starts an agent-host for a control plane that runs elsewhere. The host is entered in that control plane's database,
 * which is brought up to date first.
 * @throws StopError when the settings do not say where that is
 */
export async function startHostOnly(input: StackInput): Promise<Stack> {
  const { values } = await readNodeSettings({ ...input.environment, SANDGATE_DATA_DIR: input.dataDir });
  for (const name of ["SANDGATE_PUBLIC_URL", "SANDGATE_DATABASE_URL", "SANDGATE_HOST_SECRET"] as const) {
    if (values[name] === "") throw new StopError(`Set ${name}: the control plane runs elsewhere.`);
  }
  return startStack({ ...input, controlPlane: elsewhere });
}

/** Not ours to start, to watch or to stop. */
const elsewhere: Child = {
  name: "The control plane",
  pid: 0,
  logPath: "",
  ready: Promise.resolve({}),
  died: new Promise(() => undefined),
  stop: async () => undefined,
};
