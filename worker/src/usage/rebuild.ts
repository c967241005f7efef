import type { TenantId } from "#contract/ids";
import type { Clock } from "../context.ts";
import type { Db } from "../db/client.ts";
import { firstMonthKept } from "./settle.ts";
import { rebuildSums } from "./settle-store.ts";

/**
 * Makes a tenant's hourly and monthly sums anew from the ledger, as far back as the ledger goes. While all is well this
 * changes nothing, also between two deliveries of a host.
 */
export async function rebuildUsage(deps: { db: Db; now: Clock }, tenantId: TenantId): Promise<void> {
  await rebuildSums(deps.db, tenantId, firstMonthKept(deps.now()));
}
