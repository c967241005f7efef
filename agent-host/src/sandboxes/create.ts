import { randomBytes } from "node:crypto";
import type { HostCreate, HostCreated } from "#contract/host";
import { homePath } from "#contract/text";
import type { CgroupLimits } from "../cgroup/limits.ts";
import { HostError } from "../errors.ts";
import type { Lease, LeaseStore } from "../leases/store.ts";
import type { Pool } from "../pool/pool.ts";
import type { Member, Runtime } from "../runtime/runtime.ts";
import { type EndDeps, endSandbox } from "./end.ts";
import type { Live } from "./registry.ts";

export type CreateDeps = EndDeps & {
  leases: LeaseStore;
  pool: Pool;
  runtime: Pick<Runtime, "applyLimits" | "label" | "kill">;
  now: () => number;
  cores: number;
  /** MiB that may still be promised to a sandbox beyond what a pool member has already. */
  freeMemoryMiB: () => number;
  memberLimits: CgroupLimits;
};

const waitForMemberMs = 20_000;
/** Warm members can die in the moment they are handed out; the next one is tried. */
const attemptsMax = 3;

/**
 * Hands out a sandbox under the given id: a member of the pool, a lease file, its limits and one frame.
 * Asked again for the same id and generation it answers as before, so a create may be repeated.
 * @throws HostError `no_capacity`, `conflict` (another generation), `invalid_request` (more than this host has).
 */
export async function createSandbox(deps: CreateDeps, input: HostCreate): Promise<HostCreated> {
  const startedAtMs = performance.now();
  const { sandboxId, generation } = input;
  const answer = (source: HostCreated["source"]): HostCreated => ({
    sandboxId,
    generation,
    source,
    leaseMs: performance.now() - startedAtMs,
  });
  const existing = deps.registry.peek(sandboxId);
  if (existing) {
    const isSame = existing.lease.generation === generation && existing.lease.tenantId === input.tenantId;
    if (isSame && !existing.ending) return answer("pool");
    throw new HostError("conflict", "This sandbox id is in use on the host.");
  }
  if (deps.registry.hasEnded(sandboxId))
    throw new HostError("conflict", "This sandbox has ended on the host.");
  admit(deps, input);
  for (let attempt = 1; ; attempt++) {
    const { member, isWarm } = await deps.pool.take(input.template, waitForMemberMs);
    try {
      await lease(deps, input, member);
      return answer(isWarm ? "pool" : "cold");
    } catch (cause) {
      if (cause instanceof HostError || attempt === attemptsMax) throw cause;
      deps.log.warn({ err: cause, sandboxId, attempt }, "a warm sandbox could not be handed out");
    }
  }
}

function admit(deps: CreateDeps, input: HostCreate): void {
  if (input.cpu > deps.cores) {
    throw new HostError(
      "invalid_request",
      `cpu is ${input.cpu}, but hosts have ${deps.cores} cores; ask for fewer.`,
    );
  }
  if (input.memoryMiB - deps.memberLimits.memoryMiB > deps.freeMemoryMiB()) {
    throw new HostError("no_capacity", "This host has too little memory left; try again in a few seconds.");
  }
}

/** The order matters: the file is the claim, and only a claimed member is ever configured. */
async function lease(deps: CreateDeps, input: HostCreate, member: Member): Promise<void> {
  const key = randomBytes(32);
  const record = leaseOf(deps, input, member, key);
  claim(deps, record, member);
  const live: Live = { lease: record, member, lastActiveAtMs: deps.now(), operations: 0 };
  deps.registry.add(live);
  try {
    deps.runtime.applyLimits(member, record);
    const { sandboxId, generation } = record;
    await member.connection.configure({ sandboxId, generation, key, env: { ...baseEnv, ...input.env } });
  } catch (cause) {
    await endSandbox(deps, live, "crashed", { isReported: false });
    throw cause;
  }
  void member.connection.closed.then(() => endSandbox(deps, live, "crashed"));
  // For people who look at the engine; nothing depends on it.
  void deps.runtime.label(member, `sbx-${record.sandboxId}-${record.generation}`).catch(() => undefined);
}

/** Nobody has used the member yet when its claim fails, so it goes back to the pool. */
function claim(deps: CreateDeps, record: Lease, member: Member): void {
  try {
    if (deps.leases.claim(record)) return;
  } catch (cause) {
    deps.pool.put(member);
    deps.log.error({ err: cause }, "a lease could not be written");
    throw new HostError("no_capacity", "This host cannot write its records at the moment.", { cause });
  }
  deps.pool.put(member);
  throw new HostError("conflict", "This sandbox id is in use on the host.");
}

function leaseOf(deps: CreateDeps, input: HostCreate, member: Member, key: Buffer): Lease {
  const { sandboxId, generation, tenantId, template, cpu, memoryMiB, idleSeconds, expiresAtMs } = input;
  return {
    sandboxId,
    generation,
    tenantId,
    memberId: member.memberId,
    template,
    key: key.toString("hex"),
    cpu,
    memoryMiB,
    pids: deps.memberLimits.pids,
    idleSeconds,
    createdAtMs: deps.now(),
    expiresAtMs,
  };
}

const baseEnv = {
  PATH: "/usr/local/bin:/usr/bin:/bin",
  HOME: homePath,
  USER: "user",
  LOGNAME: "user",
  SHELL: "/bin/bash",
  LANG: "C.UTF-8",
};
