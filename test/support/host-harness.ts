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
import { recover } from "#host/sandboxes/recover";
import { Registry } from "#host/sandboxes/registry";
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
};

/** A host without HTTP over a fake machine; a second one with the same folder and runtime is its restart. */
export function hostHarness(options: Options = {}) {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), "sandgate-host-"));
  const clock = { nowMs: 1_000_000 };
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
  const deps = {
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
    deps,
    clock,
    folder,
    endCount: () => ends,
    /** The one template's pool, as an operator sees it. */
    shelf: () => pool.state()[0] as PoolHealth,
    create: (over: Partial<HostCreate> = {}) => createSandbox(deps, hostCreate(clock.nowMs, over)),
    recover: () => recover({ ...deps, currentDigests: new Set([baseTemplate.digest]) }),
    dispose: () => rmSync(folder, { recursive: true, force: true }),
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
