import type { Logger } from "pino";
import type { SandboxEnd } from "#contract/host";
import type { EndReason } from "#contract/sandbox";
import type { LeaseStore } from "../leases/store.ts";
import type { Pool } from "../pool/pool.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { UsageMeter } from "../usage/meter.ts";
import type { Live, Registry } from "./registry.ts";

export type EndDeps = {
  registry: Registry;
  leases: Pick<LeaseStore, "end" | "acknowledge">;
  pool: Pick<Pool, "discard">;
  runtime: Pick<Runtime, "kill">;
  meter: Pick<UsageMeter, "read" | "finish" | "forget">;
  now: () => number;
  /** Tells the control plane soon, without being waited for. */
  onEnd: (reason: EndReason) => void;
  log: Logger;
};

/**
 * Ends a sandbox once, whoever asks and how often: its processes are dead and the end is on record when this
 * resolves; the container's remains go in the background. The first reason stays. Never rejects, since most ends
 * have nobody who waits for them.
 * @param options.isReported false for a create that failed: the caller is told, so the control plane need not be.
 */
export function endSandbox(
  deps: EndDeps,
  live: Live,
  reason: EndReason,
  options: { isReported: boolean } = { isReported: true },
): Promise<SandboxEnd> {
  live.ending ??= { reason, done: end(deps, live, reason, options.isReported) };
  return live.ending.done;
}

async function end(deps: EndDeps, live: Live, reason: EndReason, isReported: boolean): Promise<SandboxEnd> {
  const { sandboxId, generation } = live.lease;
  deps.meter.read(live);
  try {
    await deps.runtime.kill(live.member);
  } catch (cause) {
    deps.log.warn(
      { err: cause, sandboxId },
      "the cgroup could not be killed; removing the container will do it",
    );
  }
  deps.meter.read(live);
  // Before the lease goes: a crash in between finds the lease, and the last interval written.
  if (isReported) deps.meter.finish(live.lease);
  const record: SandboxEnd = { sandboxId, generation, endReason: reason, endedAtMs: deps.now() };
  recordEnd(deps, record, isReported);
  deps.meter.forget(live.lease);
  if (isReported) deps.registry.remove(live, reason);
  else deps.registry.forget(live);
  void deps.pool.discard(live.member);
  deps.log.info({ sandboxId, reason }, "sandbox ended");
  if (isReported) deps.onEnd(reason);
  return record;
}

/**
 * What cannot be recorded has ended all the same: it is missing from the next heartbeat, which tells the control
 * plane everything but the reason. A lease file that stays is reported as crashed after a restart, which is harmless.
 */
function recordEnd(deps: EndDeps, record: SandboxEnd, isReported: boolean): void {
  try {
    deps.leases.end(record);
    if (!isReported) deps.leases.acknowledge(record);
  } catch (cause) {
    deps.log.error({ err: cause, sandboxId: record.sandboxId }, "the end of a sandbox was not recorded");
  }
}
