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
export async function startEdgeStack(input: StackInput, startDatabase = startLocalHrana): Promise<Stack> {
  const database = await startDatabase(input);
  const environment = {
    ...input.environment,
    SANDGATE_DATABASE_URL: database.url,
    SANDGATE_DATABASE_TOKEN: database.token,
  };
  try {
    const stack = await startStack({
      ...input,
      environment,
      controlPlaneEntry: "scripts/edge/worker-process.ts",
    });
    const stop = async () => {
      await stack.stop();
      await database.stop();
    };
    return { ...stack, stop };
  } catch (cause) {
    await database.stop();
    throw cause;
  }
}

async function startLocalHrana({ dataDir, environment }: StackInput): Promise<Database> {
  const logFolder = join(dataDir, "logs");
  await mkdir(logFolder, { recursive: true, mode: 0o700 });
  // Nothing but this run's own processes ever needs it.
  const token = randomBytes(32).toString("hex");
  const child = startChild({
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
