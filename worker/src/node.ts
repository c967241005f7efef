import { mkdir } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { getRequestListener } from "@hono/node-server";
import { SettingError } from "#contract/settings";
import { readMigrations } from "#migrations/files";
import { migrate } from "#migrations/migrate";
import { createApp } from "./app.ts";
import { trackBackground } from "./background.ts";
import { guardClient } from "./db/client.ts";
import { openNodeClient } from "./db/node.ts";
import { type Deps, makeDeps } from "./deps.ts";
import { configFrom } from "./env.ts";
import { runSweep } from "./jobs.ts";
import { watchRequests } from "./node-drain.ts";
import { nodeFetch } from "./node-fetch.ts";
import { nodeLog } from "./node-log.ts";
import { readNodeSettings } from "./node-settings.ts";

const drainMs = 10_000;
/** Headers that arrive slower than this are an attack or a dead peer; bodies have their own bound. */
const headersTimeoutMs = 10_000;
/** Covers the longest upload; a JSON body that dawdles holds one socket and no memory. */
const requestTimeoutMs = 600_000;
const connectionsMax = 10_000;

async function main(): Promise<void> {
  const { values, dataDir, databaseUrl } = await readNodeSettings(process.env);
  const config = configFrom(values);
  const log = nodeLog(values.SANDGATE_LOG_LEVEL);
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const client = await openNodeClient(databaseUrl, values.SANDGATE_DATABASE_TOKEN);
  const applied = await migrate(guardClient(client), await readMigrations(), Date.now());
  if (applied.length > 0) log({ level: "info", event: "migrated", applied });
  const { background, settled } = trackBackground(log);
  const deps = makeDeps({ client, config, log, background, fetch: nodeFetch });
  const server = await listen(deps, values.SANDGATE_BIND, values.SANDGATE_PORT);
  const drain = watchRequests(server);
  log({ level: "info", event: "ready", bind: values.SANDGATE_BIND, port: values.SANDGATE_PORT });
  const timer = setInterval(() => background("sweep", runSweep(deps)), config.sweepMs);

  const stop = async () => {
    clearInterval(timer);
    await drain(drainMs);
    await settled();
    client.close();
    log({ level: "info", event: "stopped" });
    process.exit(0);
  };
  let isStopping = false;
  const stopOnce = () => {
    if (isStopping) return;
    isStopping = true;
    stop().catch(fail);
  };
  process.on("SIGTERM", stopOnce);
  process.on("SIGINT", stopOnce);
  // Started by npm start: when that process ends, in whatever way, our stdin closes.
  if (process.argv.includes("--stop-with-parent")) process.stdin.once("end", stopOnce).resume();
}

function listen(deps: Deps, hostname: string, port: number): Promise<Server> {
  const options = {
    headersTimeout: headersTimeoutMs,
    requestTimeout: requestTimeoutMs,
    connectionsCheckingInterval: 2_000,
    keepAliveTimeout: 65_000,
    maxHeaderSize: 16 * 1024,
  };
  const server = createServer(options, getRequestListener(createApp(deps).fetch));
  server.maxConnections = connectionsMax;
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, hostname, () => resolve(server));
  });
}

function fail(error: unknown): never {
  process.stderr.write(`${sentenceOf(error)}\n`);
  process.exit(1);
}

function sentenceOf(error: unknown): string {
  if (error instanceof Error && "code" in error && error.code === "EADDRINUSE") {
    return "The address of the API is already in use: stop what listens there, or set SANDGATE_PORT.";
  }
  if (error instanceof Error && "code" in error && error.code === "EACCES") {
    return "The address of the API may not be used by this user: set SANDGATE_PORT to 1024 or more.";
  }
  if (error instanceof SettingError) return error.message;
  if (error instanceof Error) {
    const cause = error.cause instanceof Error ? ` (${error.cause.message})` : "";
    return `The control plane could not start: ${error.message}${cause}`;
  }
  return "The control plane could not start.";
}

main().catch(fail);
