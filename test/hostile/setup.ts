import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { scopes } from "#contract/api";
import { parseEnvFile } from "#contract/envfile";
import { issueKey } from "#worker/auth/issue-key";
import { openNodeClient } from "#worker/db/node";
import { makeDeps } from "#worker/deps";
import { configFrom } from "#worker/env";
import { readNodeSettings } from "#worker/node-settings";
import { createTenant } from "#worker/tenants/create";
import { Api } from "../support/api.ts";
import { scratchFolder } from "../support/machine.ts";
import { testStack } from "../support/stack.ts";

/** What one file attacks: a stack of its own, with two tenants and a compiled probe. */
export type Target = {
  api: Api;
  /** A second tenant, who must not be touched by what the first does. */
  otherApi: Api;
  dataDir: string;
  /** Values that no sandbox may ever see, by what they are. */
  secrets: Record<string, string>;
  probePath: string;
  /** Our own processes, to see whether an attack makes them grow. */
  pids: { agentHost: number; controlPlane: number };
  dispose(): Promise<void>;
};

export async function bringUpTarget(): Promise<Target> {
  const scratch = scratchFolder();
  const stack = await testStack().catch((cause: unknown) => {
    scratch.dispose();
    throw cause;
  });
  const dispose = async () => {
    await stack.dispose();
    scratch.dispose();
  };
  try {
    const { api, dataDir } = stack;
    const probePath = compileProbe(scratch.path);
    const secrets = parseEnvFile(await readFile(join(dataDir, "secrets.env"), "utf8"));
    const otherApi = new Api(api.url, await secondTenant(dataDir));
    const pids = { agentHost: stack.agentHost.pid, controlPlane: stack.controlPlane.pid };
    return { api, otherApi, dataDir, secrets, probePath, pids, dispose };
  } catch (cause) {
    await dispose();
    throw cause;
  }
}

/** Static, so that it runs in any image. */
function compileProbe(folder: string): string {
  const sourceFolder = fileURLToPath(new URL("./probe/", import.meta.url));
  const sources = readdirSync(sourceFolder).filter((name) => name.endsWith(".c"));
  const output = join(folder, "probe");
  const flags = ["-std=gnu17", "-O1", "-Wall", "-Wextra", "-Werror", "-static", "-o", output];
  execFileSync("gcc", [...flags, ...sources], { cwd: sourceFolder });
  return output;
}

/** There is no public call for this yet; it is what `npm start` does for the first one. */
async function secondTenant(dataDir: string): Promise<string> {
  const { values, databaseUrl } = await readNodeSettings({ SANDGATE_DATA_DIR: dataDir });
  const client = await openNodeClient(databaseUrl);
  try {
    const config = configFrom(values);
    const deps = makeDeps({ client, config, log: () => undefined, background: () => undefined });
    const tenantId = await createTenant(deps, { name: "neighbour", plan: "scale" });
    return (await issueKey(deps, { tenantId, name: "hostile suite", scopes })).key;
  } finally {
    client.close();
  }
}
