import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { startChild } from "../start/child.ts";
import { type Stack, type StackInput, startStack } from "../start/stack.ts";

/** A libSQL server over HTTP that the control plane is to use. */
export type Database = { url: string; token: string; stop: () => Promise<void> };

/**
 * The stack as it runs on Cloudflare, on this machine: the control plane in workerd, its database over HTTP, and the
 * same agent-host. Migrations are applied over HTTP before the worker starts.
 */
export async function startEdgeStack(given: StackInput): Promise<Stack> {
  const { input, stop: stopDatabase } = await onEdge(given);
  try {
    const stack = await startStack(input);
    const stop = async () => {
      await stack.stop();
      await stopDatabase();
    };
    return { ...stack, stop };
  } catch (cause) {
    await stopDatabase();
    throw cause;
  }
}

/** Starts the database of an edge stack, and says how a stack is started over it. */
export async function onEdge(given: StackInput, startDatabase = startLocalHrana) {
  const database = await startDatabase(given);
  const input: StackInput = {
    ...given,
    environment: {
      ...given.environment,
      SANDGATE_DATABASE_URL: database.url,
      SANDGATE_DATABASE_TOKEN: database.token,
    },
    controlPlaneEntry: "scripts/edge/worker-process.ts",
  };
  return { input, stop: database.stop };
}

async function startLocalHrana({ dataDir, environment }: StackInput): Promise<Database> {
  const logFolder = join(dataDir, "logs");
  await mkdir(logFolder, { recursive: true, mode: 0o700 });
  // Nothing but this run's own processes ever needs it.
  const token = randomBytes(32).toString("hex");
  const child = await startChild({
    name: "The database",
    entry: "scripts/edge/hrana-process.ts",
    environment: { ...environment, SANDGATE_DATA_DIR: dataDir, SANDGATE_DATABASE_TOKEN: token },
    logPath: join(logFolder, "database.log"),
  });
  try {
    const { url } = await child.ready;
    return { url: String(url), token, stop: child.stop };
  } catch (cause) {
    await child.stop();
    throw cause;
  }
}
