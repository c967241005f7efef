import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach } from "vitest";
import type { HostCreate, PoolHealth } from "#contract/host";
import { newHostCode, newSandboxId, newTenantId } from "#contract/ids";
import { ExecStreams } from "#host/exec-streams/streams";
import { createLeaseStore } from "#host/leases/store";
import { Pool } from "#host/pool/pool";
import type { PoolSettings } from "#host/pool/settings";
import { OpenPorts } from "#host/ports/open-ports";
import { createSandbox } from "#host/sandboxes/create";
import { endSandbox } from "#host/sandboxes/end";
import { recover } from "#host/sandboxes/recover";
import type { Live } from "#host/sandboxes/registry";
import { Registry } from "#host/sandboxes/registry";
import type { Boot } from "#host/usage/boot";
import { LastSeen } from "#host/usage/last-seen";
import { UsageMeter } from "#host/usage/meter";
import { Outbox } from "#host/usage/outbox";
import { FakeRuntime } from "../fakes/runtime.ts";
import { stillPool } from "./pool-settings.ts";

const limits = stillPool.memberLimits;
const memberDiskMiB = 1024;
export const baseTemplate = { name: "base", digest: "digest-1", image: "image-1" };

type Options = {
  runtime?: FakeRuntime;
  folder?: string;
  pool?: Partial<PoolSettings>;
  freeMemoryMiB?: number;
  /** Memory that may be promised in all, in place of an amount that is always free. */
  promisableMiB?: number;
  readyCommand?: string;
  freeDiskMiB?: number;
  isDiskShort?: boolean;
  /** A clock of its own for durations; otherwise it is the wall's. */
  boot?: Boot;
  outboxMaxBytes?: number;
  /** Where the wall clock stands, for hosts that share it. */
  clock?: { nowMs: number };
};

/** A host without HTTP over a fake machine; a second one with the same folder and runtime is its restart. */
export function hostHarness(options: Options = {}) {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), "sandgate-host-"));
  const clock = options.clock ?? { nowMs: 1_000_000 };
  const runtime = options.runtime ?? new FakeRuntime(() => clock.nowMs);
  const log = pino({ level: "silent" });
  const registry = new Registry();
  const leases = createLeaseStore(folder);
  const leasedMiB = () => registry.all().reduce((sum, { lease }) => sum + lease.memoryMiB, 0);
  const freeMemoryMiB = () =>
    options.promisableMiB === undefined
      ? (options.freeMemoryMiB ?? 100_000)
      : options.promisableMiB - pool.unleased * limits.memoryMiB - leasedMiB();
  const pool: Pool = new Pool(
    {
      runtime,
      settings: { ...stillPool, ...options.pool },
      allocated: (template) => registry.countOf(template),
      isLeased: (memberId) => registry.hasMember(memberId),
      roomByMemory: () => Math.floor(freeMemoryMiB() / limits.memoryMiB),
      isBusy: () => registry.all().some(({ operations }) => operations > 0),
      now: () => clock.nowMs,
      log,
    },
    [{ ...baseTemplate, ...(options.readyCommand && { readyCommand: options.readyCommand }) }],
  );
  const openPorts = new OpenPorts(() => clock.nowMs);
  let ends = 0;
  const usage = usageOf(options, {
    folder,
    runtime,
    now: () => clock.nowMs,
    onSpent: (live) => endSandbox(deps, live, "budget"),
  });
  const deps = {
    meter: usage.meter,
    registry,
    leases,
    pool,
    runtime,
    openPorts,
    log,
    cores: 2,
    memoryMiB: 65_536,
    memberLimits: limits,
    waitMs: 20_000,
    freeMemoryMiB,
    disk: {
      memberMiB: memberDiskMiB,
      maxMiB: 65_536,
      isShort: () => options.isDiskShort ?? false,
      freeMiB: () => options.freeDiskMiB ?? 100_000,
    },
    now: () => clock.nowMs,
    onEnd: () => {
      ends++;
    },
    streams: new ExecStreams(),
    onExecEnd: () => undefined,
    onSilent: () => undefined,
  };
  return {
    ...deps,
    usage,
    deps,
    clock,
    folder,
    endCount: () => ends,
    /** The one template's pool, as an operator sees it. */
    shelf: () => pool.state()[0] as PoolHealth,
    create: (over: Partial<HostCreate> = {}) => createSandbox(deps, hostCreate(clock.nowMs, over)),
    recover: () => recover(Object.assign(deps, { ...usage, currentDigests: new Set([baseTemplate.digest]) })),
    /** What `kill -9` leaves is what is on the disk: from now on this host reacts to nothing. */
    crash(): void {
      usage.close();
      const nothing = () => undefined;
      const meter = { read: nothing, finish: nothing, forget: nothing };
      Object.assign(deps, {
        meter,
        pool: { discard: nothing },
        leases: { end: nothing, acknowledge: nothing },
        onEnd: nothing,
      });
    },
    dispose: () => {
      usage.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

type UsageInput = {
  folder: string;
  runtime: FakeRuntime;
  now: () => number;
  onSpent: (live: Live) => Promise<unknown>;
};

function usageOf(options: Options, { folder, runtime, now, onSpent }: UsageInput) {
  const log = pino({ level: "silent" });
  const boot = options.boot ?? { bootId: "boot-1", monotonicMs: now };
  const outbox = new Outbox({ hostFolder: folder, maxBytes: options.outboxMaxBytes ?? 2 ** 26, log });
  const lastSeen = new LastSeen(folder, boot);
  const warned: string[] = [];
  const meter = new UsageMeter({
    outbox,
    runtime,
    boot,
    intervalMs: 60_000,
    now,
    log,
    onBudget: (live, verdict) => {
      if (verdict === "end") void onSpent(live);
      else warned.push(live.lease.sandboxId);
    },
  });
  let isOpen = true;
  return {
    meter,
    outbox,
    boot,
    warned,
    seen: lastSeen.before,
    tick(lives: readonly Live[]): void {
      lastSeen.mark();
      meter.tick(lives);
    },
    close(): void {
      if (isOpen) lastSeen.close();
      if (isOpen) outbox.close();
      isOpen = false;
    },
  };
}

/** Hosts for the tests of one file, each gone when its test is over. */
export function hostsOfThisFile() {
  const hosts: ReturnType<typeof hostHarness>[] = [];
  afterEach(async () => {
    for (const each of hosts.splice(0)) {
      await each.pool.drain();
      each.dispose();
    }
  });
  return (options?: Options) => {
    const made = hostHarness(options);
    hosts.push(made);
    return made;
  };
}

export function hostCreate(nowMs: number, over: Partial<HostCreate> = {}): HostCreate {
  return {
    sandboxId: newSandboxId(newHostCode()),
    generation: 1,
    tenantId: newTenantId(),
    template: "base",
    cpu: 1,
    memoryMiB: 256,
    pids: 256,
    diskMiB: memberDiskMiB,
    env: {},
    idleSeconds: 300,
    publicPorts: false,
    expiresAtMs: nowMs + 900_000,
    ...over,
  };
}
