import type { HostCreate } from "#contract/host";
import { portCaller } from "#contract/ports";
import { AppError, sandboxNotFound } from "#worker/errors";
import type { PortPlace } from "#worker/providers/provider";

/** Whether this caller may ask this sandbox's ports, by the rules of a host. @throws AppError */
export function admitFake(spec: HostCreate | undefined, { tenantId }: PortPlace): void {
  if (!spec) throw sandboxNotFound();
  if (tenantId === portCaller.tokenHolder) return;
  if (tenantId !== portCaller.anyone) {
    if (spec.tenantId !== tenantId) throw sandboxNotFound();
  } else if (!spec.publicPorts) {
    throw new AppError("forbidden", "The ports of this sandbox are not public.");
  }
}
