import { randomBytes } from "node:crypto";
import type { HostCreate, HostCreated } from "#contract/host";
import { type CgroupLimits, MemoryInUseError } from "../cgroup/limits.ts";
import { HostError } from "../errors.ts";
import type { Lease, LeaseStore } from "../leases/store.ts";
import type { Pool } from "../pool/pool.ts";
import type { Member, Runtime } from "../runtime/runtime.ts";
import type { UsageMeter } from "../usage/meter.ts";
import { baseEnv } from "./base-env.ts";
import { type EndDeps, endSandbox } from "./end.ts";
import { refusalIfExhausted } from "./exhausted.ts";
import { ended, type Live } from "./registry.ts";

export type CreateDeps = EndDeps & {
  leases: LeaseStore;
  pool: Pool;
  runtime: Pick<Runtime, "applyLimits" | "grantDisk" | "fitDisk" | "kill">;
  now: () => number;
  cores: number;
  /** RAM of the machine: what no wait could ever make room for is refused as a mistake. */
  memoryMiB: number;
  /** MiB that may still be promised to a sandbox beyond what a pool member has already. */
  freeMemoryMiB: () => number;
  memberLimits: CgroupLimits;
  /** How long a create may wait for a member; all tries end before the control plane gives it up. */
  waitMs: number;
  disk: DiskRoom;
  /** What is done in a sandbox before its tenant hears of it; its failure is that of the handing out. */
  onHandedOut?: (live: Live) => Promise<void>;
  meter: Pick<UsageMeter, "begin" | "hasRoom"> & EndDeps["meter"];
};

/** Room for workspaces, in MiB. */
export type DiskRoom = {
  /** What a pool member has already. */
  memberMiB: number;
  /** More than this no wait could ever make room for. */
  maxMiB: number;
  /** What has been promised could not be kept just now, so that nothing is handed out. */
  isShort: () => boolean;
  /** What may still be promised beyond what pool members have. */
  freeMiB: () => number;
};

/** Warm members can die in the moment they are handed out; the next one is tried. */
const attemptsMax = 3;

/**
 * Hands out a sandbox under the given id: a member of the pool, a lease file, its limits and one frame.
 * Asked again for the same id and generation it answers as before, so a create may be repeated.
 * @throws HostError `no_capacity`, `conflict` (another generation), `invalid_request` (more than this host has).
 */
export async function createSandbox(deps: CreateDeps, input: HostCreate): Promise<HostCreated> {
  try {
    return await handOut(deps, input);
  } catch (cause) {
    const refusal = refusalIfExhausted(cause);
    if (refusal !== cause) deps.log.error({ err: cause, sandboxId: input.sandboxId }, "out of resources");
    throw refusal;
  }
}

async function handOut(deps: CreateDeps, input: HostCreate): Promise<HostCreated> {
  const startedAtMs = performance.now();
  const { sandboxId, generation } = input;
  const answer = (source: HostCreated["source"]): HostCreated => ({
    sandboxId,
    generation,
    source,
    diskMiB: deps.registry.peek(sandboxId)?.lease.diskMiB ?? input.diskMiB,
    leaseMs: performance.now() - startedAtMs,
  });
  if (!isNew(deps, input)) return answer("pool");
  for (let attempt = 1; ; attempt++) {
    const { member, isWarm } = await deps.pool.take(
      input.template,
      input.tenantId,
      Math.max(0, startedAtMs + deps.waitMs - performance.now()),
    );
    try {
      const isLeased = await leaseIfNew(deps, input, member);
      return answer(isLeased && !isWarm ? "cold" : "pool");
    } catch (cause) {
      if (cause instanceof HostError || attempt === attemptsMax) throw cause;
      deps.log.warn({ err: cause, sandboxId, attempt }, "a warm sandbox could not be handed out");
    }
  }
}

/**
 * Whether this create is for this host to do; false when it is done already.
 * @throws HostError where the id is spent or in other use, or there is no room.
 */
function isNew(deps: CreateDeps, input: HostCreate): boolean {
  const { sandboxId, generation, tenantId } = input;
  const existing = deps.registry.peek(sandboxId);
  if (existing) {
    const isSame = existing.lease.generation === generation && existing.lease.tenantId === tenantId;
    if (isSame && !existing.ending) return false;
    throw new HostError("conflict", "This sandbox id is in use on the host.");
  }
  if (deps.registry.hasEnded(sandboxId))
    throw new HostError("conflict", "This sandbox has ended on the host.");
  admit(deps, input);
  return true;
}

function admit(deps: CreateDeps, input: HostCreate): void {
  if (input.cpu > deps.cores) {
    throw new HostError(
      "invalid_request",
      `cpu is ${input.cpu}, but hosts have ${deps.cores} cores; ask for fewer.`,
    );
  }
  if (input.memoryMiB > deps.memoryMiB) {
    const sentence = `memoryMiB is ${input.memoryMiB}, but hosts have ${deps.memoryMiB}; ask for less.`;
    throw new HostError("invalid_request", sentence);
  }
  if (!hasMemory(deps, input.memoryMiB - deps.memberLimits.memoryMiB)) {
    throw new HostError("no_capacity", "This host has too little memory left; try again in a few seconds.");
  }
  if (input.diskMiB > deps.disk.maxMiB) {
    const sentence = `diskMiB is ${input.diskMiB}, but hosts have ${deps.disk.maxMiB}; ask for less.`;
    throw new HostError("invalid_request", sentence);
  }
  const isBeyondRoom = input.diskMiB - deps.disk.memberMiB > deps.disk.freeMiB();
  if (isBeyondRoom || deps.disk.isShort()) {
    throw new HostError("no_capacity", "This host has too little disk left; try again in a few seconds.");
  }
  if (!deps.meter.hasRoom()) {
    throw new HostError("no_capacity", "This host cannot record what more sandboxes use; try again later.");
  }
}

/** What the pool keeps idle gives way to what is asked for. */
function hasMemory(deps: CreateDeps, extraMiB: number): boolean {
  const missingMiB = extraMiB - deps.freeMemoryMiB();
  if (missingMiB <= 0) return true;
  deps.pool.giveWay(missingMiB);
  return extraMiB <= deps.freeMemoryMiB();
}

/** @returns false, with the member back in the pool, when the same create has come first. */
async function leaseIfNew(deps: CreateDeps, input: HostCreate, member: Member): Promise<boolean> {
  const key = randomBytes(32);
  let record: Lease | undefined;
  try {
    // Again: while this create waited for a member, the id or the room may have gone to another one.
    if (!isNew(deps, input)) return false;
    const wanted = leaseOf(deps, input, member, key);
    if (claim(deps, wanted)) record = wanted;
  } finally {
    if (!record) deps.pool.put(member);
  }
  if (!record) throw new HostError("conflict", "This sandbox id is in use on the host.");
  await lease(deps, { record, member, key, env: input.env });
  return true;
}

type Claimed = { record: Lease; member: Member; key: Buffer; env: HostCreate["env"] };

/** Only a claimed member is ever configured. */
async function lease(deps: CreateDeps, { record, member, key, env }: Claimed): Promise<void> {
  const live: Live = {
    lease: record,
    member,
    isConfigured: false,
    lastActiveAtMs: deps.now(),
    operations: 0,
  };
  deps.registry.add(live);
  try {
    applyLimits(deps, member, record);
    await fitDisk(deps, member, record);
    const { sandboxId, generation } = record;
    await member.connection.configure({ sandboxId, generation, key, env: { ...baseEnv, ...env } });
    await deps.onHandedOut?.(live);
  } catch (cause) {
    const isEndedByOthers = live.ending !== undefined;
    await endSandbox(deps, live, "crashed", { isReported: false });
    // Somebody wants it gone: another try would bring it back.
    throw isEndedByOthers ? ended(live.ending?.reason ?? "crashed") : cause;
  }
  live.isConfigured = true;
  void member.connection.closed.then(() => endSandbox(deps, live, "crashed"));
}

/** @throws HostError `invalid_request` where the memory asked for is in use before the first command */
function applyLimits(deps: CreateDeps, member: Member, record: Lease): void {
  try {
    deps.runtime.applyLimits(member, record);
  } catch (cause) {
    if (!(cause instanceof MemoryInUseError)) throw cause;
    const needed = `a sandbox of this template begins with ${cause.usedMiB} MiB in use`;
    const sentence = `memoryMiB is ${record.memoryMiB}, but ${needed}; ask for more.`;
    throw new HostError("invalid_request", sentence, { cause });
  }
}

/** @throws HostError `no_capacity` where no disk of this size can be made; another host may have what is missing */
async function fitDisk(deps: CreateDeps, member: Member, record: Lease): Promise<void> {
  try {
    await deps.runtime.fitDisk(member, record.diskMiB);
  } catch (cause) {
    deps.log.error({ err: cause, sandboxId: record.sandboxId }, "a disk could not be made");
    throw new HostError("no_capacity", "This host cannot make a disk of this size at the moment.", { cause });
  }
}

/** @throws HostError `no_capacity` when the disk takes no more records; another host may have room for its own. */
function claim(deps: CreateDeps, record: Lease): boolean {
  try {
    return deps.leases.claim(record);
  } catch (cause) {
    deps.log.error({ err: cause }, "a lease could not be written");
    throw new HostError("no_capacity", "This host cannot write its records at the moment.", { cause });
  }
}

function leaseOf(deps: CreateDeps, input: HostCreate, member: Member, key: Buffer): Lease {
  const { sandboxId, generation, tenantId, template, idleSeconds, publicPorts, expiresAtMs } = input;
  return {
    sandboxId,
    generation,
    tenantId,
    memberId: member.memberId,
    template,
    key: key.toString("hex"),
    cpu: input.cpu,
    memoryMiB: input.memoryMiB,
    pids: input.pids,
    diskMiB: deps.runtime.grantDisk(member, input.diskMiB),
    idleSeconds,
    publicPorts,
    createdAtMs: deps.now(),
    expiresAtMs,
    meter: deps.meter.begin(member),
    ...(input.budget && { budget: input.budget }),
  };
}
