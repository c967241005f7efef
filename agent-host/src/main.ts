import type { Logger } from "pino";
import { readConfig } from "./config.ts";
import { createEngine, EngineError, engineSocketPath } from "./engine/request.ts";
import { StartupError } from "./errors.ts";
import { hostLog } from "./log.ts";
import { formatFinding } from "./preflight/finding.ts";
import { runHost } from "./run.ts";

/** The agent-host: one per machine, as root. SIGTERM drains it; whatever else ends it, the next start adopts. */
async function main(): Promise<void> {
  if (process.getuid?.() !== 0)
    throw new StartupError("The agent-host needs root for cgroups and mounts; use sudo.");
  const config = readConfig(process.env);
  const log = hostLog(config.settings.SANDGATE_LOG_LEVEL);
  const engine = createEngine(engineSocketPath(config.settings.DOCKER_HOST));
  const hurry = new AbortController();
  const starting = runHost(config, engine, log, hurry.signal);
  stopOnSignal(log, async () => {
    hurry.abort();
    await (await starting).stop();
    engine.close();
  });
  const host = await starting;
  for (const finding of host.findings) log.info({ finding }, formatFinding(finding));
  const ready = { event: "ready", url: host.url, findings: host.findings };
  // Who started us waits for this line, whatever is logged otherwise.
  if (process.argv.includes("--stop-with-parent")) process.stdout.write(`${JSON.stringify(ready)}\n`);
  else log.info(ready, "the agent-host is ready");
}

/** A signal that comes before the host is up waits for it: half a start would leave its containers behind. */
function stopOnSignal(log: Logger, stop: () => Promise<void>): void {
  let stopping: Promise<void> | undefined;
  const begin = (signal: string) => {
    if (stopping) return;
    log.info({ signal }, "draining");
    stopping = stop().then(
      () => process.exit(0),
      (cause: unknown) => {
        log.error({ err: cause }, "draining failed");
        process.exit(1);
      },
    );
  };
  process.on("SIGTERM", begin);
  process.on("SIGINT", begin);
  // Started by npm start: when that process ends, in whatever way, our stdin closes.
  if (process.argv.includes("--stop-with-parent")) process.stdin.once("end", () => begin("parent")).resume();
}

main().catch((cause: unknown) => {
  const isOurs = cause instanceof StartupError || cause instanceof EngineError;
  process.stderr.write(`${isOurs ? cause.message : `The agent-host failed: ${String(cause)}`}\n`);
  if (!isOurs && cause instanceof Error) process.stderr.write(`${cause.stack}\n`);
  process.exit(1);
});
