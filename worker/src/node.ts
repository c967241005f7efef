import { mkdir } from "node:fs/promises";
import type { Server } from "node:http";
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
import { nodePassage } from "./node-passage.ts";
import { nodeRecorder } from "./node-recorder.ts";
import { createNodeServer } from "./node-serve.ts";
import { readNodeSettings } from "./node-settings.ts";

const drainMs = 10_000;

async function main(): Promise<void> {
  const { values, dataDir, databaseUrl } = await readNodeSettings(process.env);
  const config = configFrom(values);
  const log = nodeLog(values.SANDGATE_LOG_LEVEL);
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const client = await openNodeClient(databaseUrl, values.SANDGATE_DATABASE_TOKEN);
  const applied = await migrate(guardClient(client), await readMigrations(), Date.now());
  if (applied.length > 0) log({ level: "info", event: "migrated", applied });
  const { background, settled } = trackBackground(log);
  const deps = makeDeps({
    client,
    config,
    log,
    background,
    fetch: nodeFetch,
    passage: nodePassage,
    recorder: nodeRecorder(),
  });
  const server = await listen(deps, values.SANDGATE_BIND, values.SANDGATE_PORT);
  const drain = watchRequests(server);
  const ready = { event: "ready", bind: values.SANDGATE_BIND, port: values.SANDGATE_PORT } as const;
  // Who started us waits for this line, whatever is logged otherwise.
  if (process.argv.includes("--stop-with-parent")) process.stdout.write(`${JSON.stringify(ready)}\n`);
  else log({ level: "info", ...ready });
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
  const server = createNodeServer(createApp(deps).fetch);
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
