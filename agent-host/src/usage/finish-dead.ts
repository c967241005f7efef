import type { Logger } from "pino";
import type { Lease } from "../leases/store.ts";
import type { FoundMember, Runtime } from "../runtime/runtime.ts";
import type { Boot } from "./boot.ts";
import type { Seen } from "./last-seen.ts";
import type { UsageMeter } from "./meter.ts";

export type FinishDeadDeps = {
  meter: Pick<UsageMeter, "finish" | "elapsedMs" | "pointOf">;
  runtime: Pick<Runtime, "finishedAtMs">;
  /** When the host before this one was last there. */
  seen: Seen | undefined;
  boot: Boot;
  now: () => number;
  log: Logger;
};

/**
 * Since its lease began, when a sandbox that ended without us did so: as the engine says, or else when a host last was
 * there to see it.
 * @returns milliseconds; never more than what is known for certain
 */
export async function elapsedAtDeath(
  deps: FinishDeadDeps,
  lease: Lease,
  found: FoundMember | undefined,
): Promise<number> {
  const { meter, boot, seen } = deps;
  const isThisBoot = lease.meter?.bootId === boot.bootId;
  // After a boot of the machine the engine says when it found out.
  const finishedAtMs = found && isThisBoot ? await askEngine(deps, found) : undefined;
  if (finishedAtMs !== undefined) {
    const agoMs = Math.max(0, deps.now() - finishedAtMs);
    return Math.max(0, meter.elapsedMs(lease) - agoMs);
  }
  if (!lease.meter || seen?.bootId !== lease.meter.bootId) return meter.pointOf(lease).elapsedMs;
  return Math.max(meter.pointOf(lease).elapsedMs, seen.monotonicMs - lease.meter.monotonicMs);
}

async function askEngine({ runtime, log }: FinishDeadDeps, found: FoundMember): Promise<number | undefined> {
  try {
    return await runtime.finishedAtMs(found);
  } catch (cause) {
    log.warn({ err: cause, memberId: found.memberId }, "the engine does not say when a sandbox ended");
    return undefined;
  }
}
