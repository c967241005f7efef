import type { EndReason } from "#contract/sandbox";
import { type EndDeps, endSandbox } from "./end.ts";
import type { Live } from "./registry.ts";

/** Whether a sandbox has had its time, and which of its times. */
export function dueEnd(
  live: Pick<Live, "lease" | "lastActiveAtMs" | "operations">,
  nowMs: number,
): EndReason | undefined {
  if (nowMs >= live.lease.expiresAtMs) return "lifetime";
  const isIdle = live.operations === 0 && nowMs - live.lastActiveAtMs >= live.lease.idleSeconds * 1000;
  return isIdle ? "idle" : undefined;
}

/** Ends what is due. Runs every second; each end is independent of the others. */
export async function reap(deps: EndDeps): Promise<void> {
  const nowMs = deps.now();
  const ends = deps.registry.all().map((live) => {
    const reason = live.ending ? undefined : dueEnd(live, nowMs);
    return reason ? endSandbox(deps, live, reason) : undefined;
  });
  await Promise.all(ends);
}
