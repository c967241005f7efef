import type { HostPatch } from "#contract/host";
import type { LeaseStore } from "../leases/store.ts";
import type { Live } from "./registry.ts";

/** Moves the deadline; it is on record before it counts. */
export function patchSandbox(
  deps: { leases: Pick<LeaseStore, "update"> },
  live: Live,
  patch: HostPatch,
): void {
  const lease = { ...live.lease, expiresAtMs: patch.expiresAtMs };
  deps.leases.update(lease);
  live.lease = lease;
}
