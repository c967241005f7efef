import { pino } from "pino";
import { readConfig } from "./config.ts";
import { createEngine, engineSocketPath } from "./engine/request.ts";
import { StartupError } from "./errors.ts";
import { formatFinding } from "./preflight/finding.ts";
import { runHost } from "./run.ts";

/** The agent-host: one per machine, as root. SIGTERM drains it; whatever else ends it, the next start adopts. */
async function main(): Promise<void> {
  if (process.getuid?.() !== 0)
    throw new StartupError("The agent-host needs root for cgroups and mounts; use sudo.");
  const config = readConfig(process.env);
  const log = pino({ level: config.settings.SANDGATE_LOG_LEVEL, base: { service: "agent-host" } });
  const engine = createEngine(engineSocketPath(config.settings.DOCKER_HOST));
  const host = await runHost(config, engine, log);
  for (const finding of host.findings) log.info({ finding }, formatFinding(finding));
  log.info({ event: "ready", url: host.url, findings: host.findings }, "the agent-host is ready");

  let stopping: Promise<void> | undefined;
  const stop = (signal: string) => {
    log.info({ signal }, "draining");
    stopping ??= host.stop().then(() => engine.close());
    stopping.then(
      () => process.exit(0),
      (cause: unknown) => {
        log.error({ err: cause }, "draining failed");
        process.exit(1);
      },
    );
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  // Started by npm start: when that process ends, in whatever way, our stdin closes.
  if (process.argv.includes("--stop-with-parent")) process.stdin.once("end", () => stop("parent")).resume();
}

main().catch((cause: unknown) => {
  const isOurs = cause instanceof StartupError;
  process.stderr.write(`${isOurs ? cause.message : `The agent-host failed: ${String(cause)}`}\n`);
  if (!isOurs && cause instanceof Error) process.stderr.write(`${cause.stack}\n`);
  process.exit(1);
});
