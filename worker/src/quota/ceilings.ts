import type { TenantLimits } from "#contract/plan";
import { AppError } from "../errors.ts";
import type { Size } from "./ask.ts";

const ceilings = {
  cpu: { limit: "sandboxCpu", what: "cores" },
  memoryMiB: { limit: "sandboxMemoryMiB", what: "MiB of memory" },
  diskMiB: { limit: "sandboxDiskMiB", what: "MiB of disk" },
  lifetimeSeconds: { limit: "sandboxLifetimeSeconds", what: "seconds of lifetime" },
} as const;

/**
 * Refuses what no sandbox of this tenant may have. The limits are those of the key's cache, so a change of plan is seen
 * within 5 s; nothing is overdrawn meanwhile, since what is asked for is held whatever its size.
 * @throws AppError `limit_exceeded`
 */
export function checkCeilings(
  limits: TenantLimits,
  asked: Partial<Size> & { lifetimeSeconds?: number | undefined },
): void {
  for (const [name, { limit, what }] of Object.entries(ceilings)) {
    // The names are those of `ceilings`, which are the fields of `asked`.
    const wanted = asked[name as keyof typeof ceilings];
    if (wanted === undefined || wanted <= limits[limit]) continue;
    throw new AppError(
      "limit_exceeded",
      `A sandbox of this tenant may have ${limits[limit]} ${what} at most.`,
      {
        facts: { field: name, limit: limits[limit], asked: wanted },
      },
    );
  }
}
