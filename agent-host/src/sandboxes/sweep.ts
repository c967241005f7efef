import type { Logger } from "pino";
import type { Pool } from "../pool/pool.ts";
import type { FoundMember, Runtime } from "../runtime/runtime.ts";
import type { Registry } from "./registry.ts";

export type SweepDeps = {
  runtime: Pick<Runtime, "list" | "remove" | "sweep">;
  pool: Pick<Pool, "memberIds" | "checkHealth" | "warmIds" | "giveUp">;
  registry: Registry;
  log: Logger;
};

const pingDeadlineMs = 5_000;

/**
 * Finds what a failure left behind: containers that neither the pool nor a lease knows, sockets and uids of
 * containers that are gone, warm members that do not answer. The listing comes before the look at what is known,
 * so that a member started in between is not taken for a leftover.
 */
export async function sweep(deps: SweepDeps): Promise<void> {
  await deps.pool.checkHealth(pingDeadlineMs);
  const warm = deps.pool.warmIds();
  const found = await deps.runtime.list();
  const running = new Set(found.filter(({ isRunning }) => isRunning).map(({ memberId }) => memberId));
  deps.pool.giveUp(warm.filter((memberId) => !running.has(memberId)));
  const known = knownMembers(deps);
  for (const leftover of found.filter(({ memberId }) => !known.has(memberId))) {
    deps.log.warn({ memberId: leftover.memberId }, "removing a leftover sandbox");
    await removeLeftover(deps, leftover);
  }
  await sweepTraces(deps, found);
}

/** One that resists is left to the next sweep: the others must not wait for it. */
export async function removeLeftover(
  { runtime, log }: { runtime: Pick<Runtime, "remove">; log: Logger },
  leftover: FoundMember,
): Promise<void> {
  try {
    await runtime.remove(leftover);
  } catch (cause) {
    log.error({ err: cause, memberId: leftover.memberId }, "a leftover was not removed");
  }
}

type KnownDeps = { pool: Pick<Pool, "memberIds">; registry: Registry };

function knownMembers({ pool, registry }: KnownDeps): Set<string> {
  return new Set([...pool.memberIds(), ...registry.all().map(({ member }) => member.memberId)]);
}

/**
 * Removes the folders, uids and disks that no member stands behind. What is known is asked for now, since members were
 * started meanwhile; and what was `found` keeps its uid, since its processes may still live.
 */
export function sweepTraces(
  deps: KnownDeps & { runtime: Pick<Runtime, "sweep"> },
  found: readonly FoundMember[],
): Promise<void> {
  const alive = knownMembers(deps);
  for (const { memberId } of found) alive.add(memberId);
  return deps.runtime.sweep(alive);
}
