import type { HostPatch } from "#contract/host";
import { HostError } from "../errors.ts";
import type { LeaseStore } from "../leases/store.ts";
import type { Live } from "./registry.ts";

/** Moves the deadline, and the cap where there is one; it is on record before it counts. @throws HostError `unavailable` when it cannot be written. */
export function patchSandbox(
  deps: { leases: Pick<LeaseStore, "update"> },
  live: Live,
  patch: HostPatch,
): void {
  const { budget } = live.lease;
  const lease = {
    ...live.lease,
    expiresAtMs: patch.expiresAtMs,
    ...(budget && { budget: { ...budget, capMicros: patch.capMicros ?? budget.capMicros } }),
  };
  try {
    deps.leases.update(lease);
  } catch (cause) {
    throw new HostError("unavailable", "This host cannot write its records at the moment.", { cause });
  }
  live.lease = lease;
}
