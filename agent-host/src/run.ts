import type { Server } from "node:http";
import type { Logger } from "pino";
import type { ExitEvent } from "#contract/exec";
import { limits } from "#contract/limits";
import { claimHost } from "./claim-host.ts";
import type { HostConfig } from "./config.ts";
import type { Engine } from "./engine/request.ts";
import { composeHost, type Host, inspectOnce } from "./host.ts";
import { makeImagesReady } from "./images/make-ready.ts";
import type { Finding } from "./preflight/finding.ts";
import { startTemplate } from "./processes/start-template.ts";
import { createHostApp } from "./routes/app.ts";
import { upgradeListener } from "./routes/upgrade.ts";
import { endSandbox } from "./sandboxes/end.ts";
import { endAll } from "./sandboxes/end-all.ts";
import { keepLimits } from "./sandboxes/keep-limits.ts";
import { nameContainers } from "./sandboxes/name-containers.ts";
import { reap } from "./sandboxes/reap.ts";
import { recover } from "./sandboxes/recover.ts";
import type { Live } from "./sandboxes/registry.ts";
import { sweep } from "./sandboxes/sweep.ts";
import { serveHost } from "./serve.ts";
import { NonceWindow } from "./signing/nonces.ts";
import { proveWorkspaces } from "./workspaces/prove.ts";

const reapMs = 1_000;
const tendMs = 1_000;
const meterMs = 5_000;
const usageMs = 1_000;
/** How long a host that stops goes on handing over what was used; the rest waits on its disk for the next start. */
const lastUsageMs = 5_000;
const warmUpDeadlineMs = 60_000;
/** How long a host that is up waits for a control plane that is only starting; it opens without one after that. */
const heardMs = 10_000;

export type RunningHost = { url: string; findings: Finding[]; stop(): Promise<void> };

/**
 * Brings a host up: what a former life left is adopted or removed first, then the pool, then the door opens.
 * @param hurry says that whoever waits for the host only wants to stop it
 */
export async function runHost(
  config: HostConfig,
  engine: Engine,
  log: Logger,
  hurry: AbortSignal,
): Promise<RunningHost> {
  const release = await claimHost(config.identity.hostId);
  try {
    const host = await composeHost(config, engine, log);
    const running = await open(host, hurry).catch(async (cause: unknown) => {
      // What tenants use was here before and outlives a start that fails: the next one adopts it.
      await host.pool.drain();
      closeFolders(host);
      host.usage.close();
      throw cause;
    });
    return { ...running, stop: () => running.stop().finally(release) };
  } catch (cause) {
    release();
    throw cause;
  }
}

async function open(host: Host, hurry: AbortSignal): Promise<RunningHost> {
  const { config, log } = host;
  const digests = new Set(config.prepared.templates.map(({ digest }) => digest));
  await host.workspaces.open(host.disk);
  const recovered = await recover({ ...host, ...host.usage, ...execEventsOf(host), currentDigests: digests });
  // What was adopted has been seen to live, and may have spent its budget meanwhile; the pool may take a minute to fill.
  host.usage.tick(host.registry.all());
  if (recovered.leased + recovered.warm + recovered.destroyed > 0) log.info(recovered, "recovered");
  const onReady = (template: string, image: string) => host.pool.setImage(template, image);
  await makeImagesReady({ ...host, onReady }, config.prepared.templates);
  for (const template of config.prepared.templates.slice(0, 1)) await proveWorkspaces(host, template);
  const isWarm = await host.pool.warmUp(warmUpDeadlineMs);
  if (!isWarm) log.warn("the pool did not reach its minimum in time");
  const findings = await inspectOnce(host);
  const door = doorOf(host);
  const { server, url } = await serveHost(
    createHostApp(door),
    config.settings.SANDGATE_HOST_PORT,
    upgradeListener(door),
  );
  // Behind a tunnel or a proxy the control plane knows another address than the one we listen on.
  host.state.url = config.settings.SANDGATE_HOST_URL || url;
  const timers = startTimers(host);
  host.usage.courier.start();
  // Until then the control plane would send work to the address of a former life.
  await host.pulse.untilHeard(AbortSignal.any([hurry, AbortSignal.timeout(heardMs)]));
  return { url, findings, stop: () => drain(host, server, timers) };
}

/** Who hears of commands. */
function execEventsOf(host: Host) {
  return {
    onExecEnd: ({ endReason, durationMs }: ExitEvent) =>
      host.metrics.execs.observe({ end_reason: endReason }, durationMs / 1000),
    onSilent: (live: Live) =>
      void live.member.connection.ping(2_000).catch(() => endSandbox(host, live, "crashed")),
  };
}

/** What everything that is let in at the door may touch. */
function doorOf(host: Host) {
  const { identity, settings } = host.config;
  const nonces = new NonceWindow();
  const verify = { hostId: identity.hostId, key: host.key, startedAtMs: host.now(), nonces, now: host.now };
  const door = {
    ...host,
    waitMs: settings.SANDGATE_POOL_WAIT_SECONDS * 1_000,
    verify,
    ...execEventsOf(host),
    health: () => ({
      pools: host.pool.state(),
      allocated: host.registry.size,
      isDraining: host.state.isDraining,
    }),
  };
  const { templates } = host.config.prepared;
  return { ...door, onHandedOut: (live: Live) => startTemplate({ ...door, templates }, live) };
}

function startTimers(host: Host): NodeJS.Timeout[] {
  const guarded = (name: string, work: () => Promise<void>) => {
    let isBusy = false;
    return () => {
      if (isBusy) return;
      isBusy = true;
      work()
        .catch((cause: unknown) => host.log.error({ err: cause }, `${name} failed`))
        .finally(() => {
          isBusy = false;
        });
    };
  };
  const sweepMs = host.config.settings.SANDGATE_SWEEP_SECONDS * 1000;
  return [
    setInterval(
      guarded("the reaper", () => reap(host)),
      reapMs,
    ),
    setInterval(() => host.openPorts.closeIdle(), reapMs),
    setInterval(
      guarded("the usage meter", async () => host.usage.tick(host.registry.all())),
      usageMs,
    ),
    setInterval(
      guarded("the pool", () => host.pool.tend()),
      tendMs,
    ),
    setInterval(
      guarded("the meter", () => meter(host)),
      meterMs,
    ),
    setInterval(
      guarded("the sampler", async () => host.sampler.tick()),
      limits.metricsSampleMs,
    ),
    setInterval(
      guarded("the sweep", () => sweep(host)),
      sweepMs,
    ),
  ];
}

/** What drifts while nobody looks: limits, and how full the disk is; and what has time. */
async function meter(host: Host): Promise<void> {
  await keepLimits(host);
  await nameContainers(host);
  await host.workspaces.look();
}

/** Ends everything that lives here and leaves no container, socket or uid behind. */
async function drain(host: Host, server: Server, timers: NodeJS.Timeout[]): Promise<void> {
  host.state.isDraining = true;
  for (const timer of timers) clearInterval(timer);
  server.close();
  await host.pulse.stop();
  await endAll(host);
  host.openPorts.closeAll();
  closeFolders(host);
  // The control plane gives the reservations back when it hears of the ends.
  await host.pulse.now();
  await host.usage.courier.stop(lastUsageMs);
  host.usage.close();
  server.closeAllConnections();
}

function closeFolders(host: Host): void {
  host.uids.close();
  host.workspaces.close();
  host.folders.close();
}
