import { portCaller } from "#contract/ports";
import { HostError } from "../errors.ts";
import type { Live, Registry } from "../sandboxes/registry.ts";

/**
 * The sandbox whose port a signed request is for. Its caller is a tenant, who has shown a key; or has shown the
 * sandbox's own token; or has shown nothing, which opens a sandbox that was created with public ports.
 * @throws HostError `sandbox_not_found`, `sandbox_ended`, `forbidden`
 */
export function admit(registry: Registry, sandboxId: string, caller: string): Live {
  const isTenant = caller !== portCaller.anyone && caller !== portCaller.tokenHolder;
  if (isTenant) return registry.find(sandboxId, caller);
  const live = registry.findForAnyone(sandboxId);
  if (caller === portCaller.tokenHolder || live.lease.publicPorts) return live;
  throw new HostError("forbidden", "The ports of this sandbox are not public.");
}
