import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseEnvFile } from "#contract/envfile";
import type { Ready } from "#contract/meta";
import type { Finding } from "#host/preflight/finding";
import { StopError } from "#templates/stop";
import { bootstrap } from "#worker/bootstrap";
import { type Child, type ChildInput, startChild } from "./child.ts";
import type { PreparedMachine } from "./steps.ts";

export type Stack = {
  url: string;
  apiKey: string;
  adminKey: string;
  /** Where the agent-host listens on loopback; `/healthz` there shows the pool. */
  hostUrl: string;
  findings: Finding[];
  controlPlane: Child;
  agentHost: Child;
  /** Drains the host, then the control plane, so that every end is on record. */
  stop(): Promise<void>;
};

export type StackInput = {
  prepared: PreparedMachine;
  dataDir: string;
  environment: NodeJS.ProcessEnv;
  /** How a program is started as root from here; empty where we are root. */
  asRoot: string[];
  /** The program that serves the API; the Node entry unless told otherwise. */
  controlPlaneEntry?: string;
  /** One that runs already, in place of one of ours. */
  controlPlane?: Child;
};

/**
 * Starts the control plane and one agent-host on a prepared machine, and waits until both are ready.
 * @throws StopError with one sentence when one of them cannot start; nothing is left running then
 */
export async function startStack(input: StackInput): Promise<Stack> {
  const { dataDir, prepared } = input;
  const environment = { ...input.environment, SANDGATE_DATA_DIR: dataDir };
  const { url, devEnvFile } = await bootstrap(environment, templateRows(prepared));
  await writePrepared(dataDir, prepared);
  await mkdir(join(dataDir, "logs"), { recursive: true, mode: 0o700 });
  const program = programs(input);
  const controlPlane = input.controlPlane ?? (await startChild(program.controlPlane));
  const agentHost = await startChild(program.agentHost);
  const stop = async () => {
    await agentHost.stop();
    await controlPlane.stop();
  };
  try {
    const [, ready] = await Promise.all([controlPlane.ready, agentHost.ready]);
    await waitUntilPlaced(url);
    // The host's own log line, written by `main.ts` of the same release.
    const { findings, url: hostUrl } = ready as { findings: Finding[]; url: string };
    const known = parseEnvFile(await readFile(devEnvFile, "utf8"));
    const { SANDGATE_API_KEY: apiKey = "", SANDGATE_ADMIN_KEY: adminKey = "" } = known;
    return { url, apiKey, adminKey, hostUrl, findings, controlPlane, agentHost, stop };
  } catch (cause) {
    await stop();
    throw cause;
  }
}

/** How the two programs over a data folder are started. */
export function programs(input: Omit<StackInput, "prepared">) {
  const environment = { ...input.environment, SANDGATE_DATA_DIR: input.dataDir };
  const logFolder = join(input.dataDir, "logs");
  const controlPlane: ChildInput = {
    name: "The control plane",
    entry: input.controlPlaneEntry ?? "worker/src/node.ts",
    environment,
    logPath: join(logFolder, "control-plane.log"),
  };
  const agentHost: ChildInput = {
    name: "The agent-host",
    entry: "agent-host/src/main.ts",
    // The database is the control plane's alone.
    environment: { ...environment, SANDGATE_DATABASE_URL: "", SANDGATE_DATABASE_TOKEN: "" },
    logPath: join(logFolder, "agent-host.log"),
    asRoot: input.asRoot,
  };
  return { controlPlane, agentHost };
}

function templateRows({ templates }: PreparedMachine) {
  return templates.map(({ name, aliases, digest, limits }) => ({ name, aliases, digest, ...limits }));
}

async function writePrepared(dataDir: string, { sandboxdPath, templates }: PreparedMachine): Promise<void> {
  const path = join(dataDir, "host", "prepared.json");
  const served = templates.map(({ name, digest, image, startCommand, readyCommand }) => ({
    name,
    digest,
    image,
    ...(startCommand !== null && { startCommand }),
    ...(readyCommand !== null && { readyCommand }),
  }));
  await writeFile(`${path}.new`, JSON.stringify({ sandboxdPath, templates: served }), { mode: 0o600 });
  await rename(`${path}.new`, path);
}

const placedMs = 20_000;

/** The host is heard once its first heartbeat has come, which may be a moment after both are up. */
export async function waitUntilPlaced(url: string): Promise<void> {
  const endMs = performance.now() + placedMs;
  for (;;) {
    const response = await fetch(`${url}/readyz`).catch(() => undefined);
    const ready = (await response?.json().catch(() => undefined)) as Partial<Ready> | undefined;
    if (ready?.status === "ok") return;
    if (performance.now() > endMs)
      throw new StopError("The control plane does not hear the agent-host; see their logs.");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
