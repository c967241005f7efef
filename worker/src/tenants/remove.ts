import type { Clock } from "../context.ts";
import type { Db } from "../db/client.ts";
import { beginRemoval, listToRemove, removeSome } from "./remove-store.ts";

const tenantsPerSweep = 20;
const rowsPerBatch = 1_000;
const batchesPerTenant = 20;

/**
 * Removes, a bounded part at a time, what deleted tenants had, once their grace is over. Closed statements and the
 * audit stay, and the ledger of a month until its statement is closed. Returns how many are gone now.
 */
export async function removeTenants(deps: { db: Db; now: Clock; tenantGraceMs: number }): Promise<number> {
  const nowMs = deps.now();
  const deletedBeforeMs = nowMs - deps.tenantGraceMs;
  let gone = 0;
  for (const tenantId of await listToRemove(deps.db, { deletedBeforeMs, max: tenantsPerSweep })) {
    await beginRemoval(deps.db, tenantId, { deletedBeforeMs, nowMs });
    for (let batch = 0; batch < batchesPerTenant; batch++) {
      const { removed, isDone } = await removeSome(deps.db, tenantId, { rowsMax: rowsPerBatch, nowMs });
      if (isDone) gone++;
      if (isDone || removed === 0) break;
    }
  }
  return gone;
}
