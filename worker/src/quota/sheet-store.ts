import { sql } from "drizzle-orm";
import type { SandboxId, TenantId } from "#contract/ids";
import { PriceSheet, type Prices } from "#contract/plan";
import type { Db } from "../db/client.ts";

/**
 * What a sandbox costs: by the month in which it was admitted, which for that of a run may be the one before its own.
 * `undefined` = nothing is held for it any more.
 */
export async function findPrices(db: Db, tenantId: TenantId, id: SandboxId): Promise<Prices | undefined> {
  const [row] = await db.all<{ sheet: string }>(sql`
    SELECT p.sheet FROM holds h JOIN price_sheets p
      ON p.tenant_id = h.tenant_id AND p.month = strftime('%Y-%m', h.created_at_ms / 1000, 'unixepoch')
    WHERE h.sandbox_id = ${id} AND h.tenant_id = ${tenantId}`);
  return row && PriceSheet.parse(JSON.parse(row.sheet)).prices;
}
