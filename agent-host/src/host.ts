import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { Logger } from "pino";
import type { EndReason } from "#contract/sandbox";
import type { CgroupLimits } from "./cgroup/limits.ts";
import type { HostConfig } from "./config.ts";
import { beat, type HeartbeatDeps } from "./control/heartbeat.ts";
import { Pulse } from "./control/pulse.ts";
import type { Engine } from "./engine/request.ts";
import { StartupError } from "./errors.ts";
import { ExecStreams } from "./exec-streams/streams.ts";
import { createLeaseStore } from "./leases/store.ts";
import { createHostMetrics } from "./metrics/prometheus.ts";
import { Sampler } from "./metrics/sampler.ts";
import { freeMemoryMiB, readMachineMemory } from "./pool/admission.ts";
import { Pool } from "./pool/pool.ts";
import { poolSettingsOf } from "./pool/settings.ts";
import { OpenPorts } from "./ports/open-ports.ts";
import { inspectEngine } from "./preflight/engine.ts";
import type { Finding } from "./preflight/finding.ts";
import { createMemberFolders } from "./runtime/docker/folder.ts";
import { DockerRuntime } from "./runtime/docker/runtime.ts";
import type { Architecture } from "./runtime/docker/seccomp.ts";
import type { Member, Runtime } from "./runtime/runtime.ts";
import type { DiskRoom } from "./sandboxes/create.ts";
import { endSandbox } from "./sandboxes/end.ts";
import { Registry } from "./sandboxes/registry.ts";
import { createUidClaims } from "./uids/claim.ts";
import { composeUsage } from "./usage/usage.ts";
import { createDisks } from "./workspaces/disks.ts";
import { freeDiskMiB, isShort, largestDiskMiB, readDisk } from "./workspaces/room.ts";
import { Workspaces } from "./workspaces/workspaces.ts";

export type Host = Awaited<ReturnType<typeof composeHost>>;

/**
 * Builds the parts of a host and ties them together; nothing runs yet but the look at the engine.
 * @throws StartupError
 */
export async function composeHost(
  config: HostConfig,
  engine: Engine,
  log: Logger,
  now: () => number = Date.now,
) {
  const { identity } = config;
  const { findings, arch } = await inspectEngine(engine);
  const machine = composeMachine(config, engine, arch);
  const leases = createLeaseStore(config.hostFolder);
  const registry = new Registry();
  const room = composeRoom(config, registry, machine, log, now);
  const streams = new ExecStreams();
  const openPorts = new OpenPorts(now);
  const state = { isDraining: false, url: "" };
  const facts: HeartbeatDeps["facts"] = () => ({
    ...state,
    cores: room.cores,
    freeMemoryMiB: room.freeMemoryMiB(),
    pools: room.pool.state().map(({ template, available, starting }) => ({ template, available, starting })),
    portKeys: openPorts.keys(),
  });
  const key = Buffer.from(identity.key, "hex");
  const usage = composeUsage({
    ...config,
    key,
    intervalMs: config.settings.SANDGATE_METER_INTERVAL_SECONDS * 1000,
    outboxMaxBytes: config.settings.SANDGATE_USAGE_OUTBOX_MIB * 2 ** 20,
    runtime: machine.runtime,
    onSpent: (live) => void endSandbox(parts, live, "budget"),
    now,
    log,
  });
  const metrics = createHostMetrics({
    pools: () => room.pool.state(),
    allocated: () => registry.size,
    freeMemoryMiB: room.freeMemoryMiB,
    usage: usage.facts,
    workspaces: () => sampler.workspaces(),
  });
  const sampler = new Sampler({
    registry,
    runtime: machine.runtime,
    now,
    monotonic: () => performance.now(),
    log,
  });
  const onEnd = (reason: EndReason) => {
    metrics.ends.inc({ end_reason: reason });
    pulse.soon();
  };
  const parts = {
    config,
    engine,
    log,
    now,
    findings,
    key,
    state,
    registry,
    streams,
    openPorts,
    leases,
    onEnd,
    metrics,
    sampler,
    usage,
    meter: usage.meter,
    ...machine,
    ...room,
  };
  const pulse: Pulse = new Pulse(async () => {
    // Before the door is open there is no address to tell.
    if (state.url !== "") await beat({ ...parts, identity, facts });
  }, log);
  return { ...parts, pulse };
}

/** What touches the machine: containers, sockets and uids. */
function composeMachine(config: HostConfig, engine: Engine, arch: Architecture) {
  const { hostId } = config.identity;
  const runDir = config.settings.SANDGATE_RUN_DIR;
  const folders = createMemberFolders(runDir, hostId);
  const uids = createUidClaims(hostId);
  const workspaces = new Workspaces({
    disks: createDisks({ runDir, hostId, folder: imageFolderOf(config) }),
    driver: config.settings.SANDGATE_WORKSPACES,
    defaultMiB: config.settings.SANDGATE_DEFAULT_DISK_MIB,
    memoryMiB: config.settings.SANDGATE_DEFAULT_MEMORY_MIB,
  });
  const { sandboxdPath } = config.prepared;
  const runtime = new DockerRuntime({ engine, hostId, folders, uids, workspaces, sandboxdPath, arch });
  return { folders, uids, workspaces, runtime };
}

/** The host's room: its pool, and how much memory and disk may still be promised. */
function composeRoom(
  { settings, prepared, hostFolder }: HostConfig,
  registry: Registry,
  { runtime, workspaces }: ReturnType<typeof composeMachine>,
  log: Logger,
  now: () => number,
) {
  const memberLimits: CgroupLimits = {
    cpu: settings.SANDGATE_DEFAULT_CPU,
    memoryMiB: settings.SANDGATE_DEFAULT_MEMORY_MIB,
    pids: settings.SANDGATE_DEFAULT_PIDS,
  };
  const promisedMiB = () =>
    pool.unleased * memberLimits.memoryMiB +
    registry.all().reduce((sum, { lease }) => sum + lease.memoryMiB, 0);
  const overcommit = settings.SANDGATE_MEMORY_OVERCOMMIT;
  const reserveMiB = settings.SANDGATE_MEMORY_RESERVE_MIB;
  const freeMemory = () =>
    freeMemoryMiB({ ...readMachineMemory(), promisedMiB: promisedMiB(), overcommit, reserveMiB });
  const memberMiB = settings.SANDGATE_DEFAULT_DISK_MIB;
  const promisedDiskMiB = () =>
    pool.unleased * memberMiB + registry.all().reduce((sum, { lease }) => sum + lease.diskMiB, 0);
  const disk = composeDisk({ settings, hostFolder, workspaces, promisedMiB: promisedDiskMiB });
  const pool: Pool = new Pool(
    {
      runtime,
      settings: poolSettingsOf(settings, memberLimits),
      allocated: (template) => registry.countOf(template),
      isLeased: (memberId) => registry.hasMember(memberId),
      roomByMemory: () =>
        Math.floor(Math.min(freeMemory() / memberLimits.memoryMiB, disk.freeMiB() / memberMiB)),
      isBusy: () => registry.all().some(({ operations }) => operations > 0),
      now,
      log,
    },
    prepared.templates,
  );
  const { totalMiB: memoryMiB } = readMachineMemory();
  return { pool, memberLimits, disk, freeMemoryMiB: freeMemory, memoryMiB, cores: availableParallelism() };
}

type DiskFactsDeps = Pick<HostConfig, "settings" | "hostFolder"> & {
  workspaces: Workspaces;
  promisedMiB: () => number;
};

/** It may be a disk of its own: then that one's room counts. */
const imageFolderOf = ({ hostFolder }: Pick<HostConfig, "hostFolder">) => join(hostFolder, "workspaces");

/** Workspaces in memory take no disk; those on disk share what their folder is on. */
function composeDisk({ settings, hostFolder, workspaces, promisedMiB }: DiskFactsDeps): DiskRoom {
  const overcommit = settings.SANDGATE_DISK_OVERCOMMIT;
  const folder = imageFolderOf({ hostFolder });
  const isOnDisk = () => workspaces.driver === "loop";
  const room = () => ({ ...readDisk(folder), usedMiB: workspaces.usedMiB, overcommit });
  return {
    memberMiB: settings.SANDGATE_DEFAULT_DISK_MIB,
    get maxMiB() {
      const { totalMiB } = readDisk(folder);
      return isOnDisk() ? largestDiskMiB(totalMiB, overcommit) : Number.POSITIVE_INFINITY;
    },
    isShort: () => isOnDisk() && isShort(readDisk(folder).freeMiB),
    freeMiB: () =>
      isOnDisk() ? freeDiskMiB({ ...room(), promisedMiB: promisedMiB() }) : Number.POSITIVE_INFINITY,
  };
}

type InspectDeps = {
  config: { hostFolder: string; prepared: { templates: { name: string }[] } };
  findings: Finding[];
  pool: Pick<Pool, "first" | "take" | "put">;
  registry: Pick<Registry, "size">;
  runtime: Pick<Runtime, "inspect">;
  memberLimits: CgroupLimits;
};

/** Looks at one unused member at each start of the host. @throws StartupError when a lease could not rely on it. */
export async function inspectOnce(deps: InspectDeps): Promise<Finding[]> {
  const member = deps.pool.first() ?? (await startOne(deps));
  if (!member) {
    // Full of what it has adopted: those were made by a host that had looked, and failing here would end them.
    if (deps.registry.size > 0) return deps.findings;
    const logs = join(deps.config.hostFolder, "..");
    throw new StartupError(`No sandbox could be started; see ${logs} for the log.`);
  }
  const findings = [...deps.findings, ...(await deps.runtime.inspect(member, deps.memberLimits))];
  const failed = findings.find(({ status }) => status === "failed");
  if (failed) throw new StartupError(`This machine cannot hold sandboxes: ${failed.name}: ${failed.detail}.`);
  return findings;
}

const startOneDeadlineMs = 30_000;
/** In line for ourselves. */
const noTenant = "";

/** A host may be told to keep none warm; the one that is made for a look stays in the pool. */
async function startOne({ pool, config }: InspectDeps): Promise<Member | undefined> {
  for (const { name } of config.prepared.templates) {
    const taken = await pool.take(name, noTenant, startOneDeadlineMs).catch(() => undefined);
    if (taken) pool.put(taken.member);
    if (taken) return taken.member;
  }
  return undefined;
}
