import type { Logger } from "pino";
import type { Lease, LeaseStore } from "../leases/store.ts";
import type { Pool } from "../pool/pool.ts";
import type { Expectation, FoundMember, Member, Runtime } from "../runtime/runtime.ts";
import { elapsedAtDeath, type FinishDeadDeps } from "../usage/finish-dead.ts";
import type { UsageMeter } from "../usage/meter.ts";
import { type EndDeps, endSandbox } from "./end.ts";
import type { ExecStreamDeps } from "./exec-stream.ts";
import { keepLimitsOf } from "./keep-limits.ts";
import type { Registry } from "./registry.ts";
import { restoreExecs } from "./restore-execs.ts";
import { removeLeftover, sweepTraces } from "./sweep.ts";

export type RecoverDeps = EndDeps &
  ExecStreamDeps &
  FinishDeadDeps & {
    runtime: Pick<Runtime, "list" | "adopt" | "remove" | "sweep" | "kill" | "keepLimits" | "oomKills">;
    meter: UsageMeter;
    leases: LeaseStore;
    pool: Pool;
    registry: Registry;
    /** Digests of the templates this host serves now; warm members of older ones are not kept. */
    currentDigests: ReadonlySet<string>;
    log: Logger;
  };

export type Verdict = "adopt_lease" | "adopt_warm" | "destroy";

/** What the found container and the lease files say together; any disagreement ends in `destroy`. */
export function verdictOn(
  found: FoundMember,
  lease: Lease | undefined,
  digests: ReadonlySet<string>,
): Verdict {
  if (!found.isRunning) return "destroy";
  if (lease) return lease.template === found.template ? "adopt_lease" : "destroy";
  return digests.has(found.templateDigest) ? "adopt_warm" : "destroy";
}

/**
 * Compares the lease files with what every sandboxd says of itself, after a restart: what agrees goes on, what
 * does not is destroyed, and leases without a container are reported as crashed.
 */
export async function recover(
  deps: RecoverDeps,
): Promise<{ leased: number; warm: number; destroyed: number }> {
  const found = await deps.runtime.list();
  const leases = new Map(deps.leases.leases().map((lease) => [lease.memberId, lease]));
  deps.meter.keepOnly([...leases.values()]);
  const counts = { leased: 0, warm: 0, destroyed: 0 };
  /** Since the lease began, by member. */
  const diedAfterMs = new Map<string, number>();
  await Promise.all(
    found.map(async (member) => {
      const outcome = await recoverOne(deps, member, leases.get(member.memberId), diedAfterMs);
      counts[outcome]++;
    }),
  );
  const known = new Set(deps.registry.all().map((live) => live.lease.sandboxId));
  for (const lease of leases.values()) {
    if (known.has(lease.sandboxId)) continue;
    const { sandboxId, generation, memberId } = lease;
    deps.meter.finish(lease, diedAfterMs.get(memberId) ?? (await elapsedAtDeath(deps, lease, undefined)));
    deps.leases.end({ sandboxId, generation, endReason: "crashed", endedAtMs: deps.now() });
    deps.meter.forget(lease);
  }
  await sweepTraces(deps, await deps.runtime.list());
  return counts;
}

async function recoverOne(
  deps: RecoverDeps,
  found: FoundMember,
  lease: Lease | undefined,
  diedAfterMs: Map<string, number>,
): Promise<"leased" | "warm" | "destroyed"> {
  const verdict = verdictOn(found, lease, deps.currentDigests);
  if (verdict !== "destroy") {
    const member = await adopt(deps, found, lease);
    if (member && lease) {
      await keepLease(deps, member, lease);
      return "leased";
    }
    if (member) {
      await deps.pool.adopt(member);
      return "warm";
    }
  }
  if (!lease) {
    await removeLeftover(deps, found);
    return "destroyed";
  }
  // Asked while the container is there to be asked about.
  const diedAlready = found.isRunning ? undefined : await elapsedAtDeath(deps, lease, found);
  deps.meter.read({ lease, member: found });
  await removeLeftover(deps, found);
  diedAfterMs.set(found.memberId, diedAlready ?? deps.meter.elapsedMs(lease));
  return "destroyed";
}

/** @returns undefined when its sandboxd does not answer, or says something else than the lease. */
async function adopt(
  deps: RecoverDeps,
  found: FoundMember,
  lease: Lease | undefined,
): Promise<Member | undefined> {
  try {
    const member = await deps.runtime.adopt(found, lease && expectationOf(lease));
    if (lease || member.connection.hello.sandboxId === undefined) return member;
    member.connection.close();
  } catch (cause) {
    deps.log.warn(
      { err: cause, memberId: found.memberId },
      "a sandbox of the time before the restart was not adopted",
    );
  }
  return undefined;
}

const expectationOf = ({ sandboxId, generation, key }: Lease): Expectation => ({
  sandboxId,
  generation,
  key: Buffer.from(key, "hex"),
});

/** For all output that is kept in a sandbox, 4 MiB at most, on a machine on which everything starts at once. */
const restoreDeadlineMs = 30_000;

async function keepLease(deps: RecoverDeps, member: Member, lease: Lease): Promise<void> {
  const live = { lease, member, isConfigured: true, lastActiveAtMs: deps.now(), operations: 0 };
  deps.registry.add(live);
  keepLimitsOf(deps, live);
  void member.connection.closed.then(() => endSandbox(deps, live, "crashed"));
  const timer = setTimeout(() => member.connection.close(), restoreDeadlineMs);
  try {
    await restoreExecs(deps, live);
  } catch (cause) {
    deps.log.error(
      { err: cause, sandboxId: lease.sandboxId },
      "a sandbox says of its commands what cannot be",
    );
    member.connection.close();
  } finally {
    clearTimeout(timer);
  }
}
