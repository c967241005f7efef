import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach } from "vitest";
import type { HostCreate } from "#contract/host";
import { newHostCode, newSandboxId, newTenantId } from "#contract/ids";
import { createLeaseStore } from "#host/leases/store";
import { Pool } from "#host/pool/pool";
import { createSandbox } from "#host/sandboxes/create";
import { recover } from "#host/sandboxes/recover";
import { Registry } from "#host/sandboxes/registry";
import { FakeRuntime } from "../fakes/runtime.ts";

const limits = { cpu: 1, memoryMiB: 256, pids: 256 };
const memberDiskMiB = 1024;
export const baseTemplate = { name: "base", digest: "digest-1", image: "image-1" };

type Options = {
  runtime?: FakeRuntime;
  folder?: string;
  min?: number;
  target?: number;
  max?: number;
  freeMemoryMiB?: number;
  freeDiskMiB?: number;
  isDiskShort?: boolean;
};

/** A host without HTTP over a fake machine; a second one with the same folder and runtime is its restart. */
export function hostHarness(options: Options = {}) {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), "sandgate-host-"));
  const runtime = options.runtime ?? new FakeRuntime();
  const clock = { nowMs: 1_000_000 };
  const log = pino({ level: "silent" });
  const registry = new Registry();
  const leases = createLeaseStore(folder);
  const freeMemoryMiB = () => options.freeMemoryMiB ?? 100_000;
  const pool: Pool = new Pool(
    {
      runtime,
      settings: {
        min: options.min ?? 0,
        target: options.target ?? 3,
        max: options.max ?? 50,
        memberLimits: limits,
      },
      allocated: () => registry.size,
      roomByMemory: () => Math.floor(freeMemoryMiB() / limits.memoryMiB),
      log,
    },
    [baseTemplate],
  );
  let ends = 0;
  const deps = {
    registry,
    leases,
    pool,
    runtime,
    log,
    cores: 2,
    memoryMiB: 65_536,
    memberLimits: limits,
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
  };
  return {
    ...deps,
    deps,
    clock,
    folder,
    endCount: () => ends,
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
    expiresAtMs: nowMs + 900_000,
    ...over,
  };
}
