import { sql } from "drizzle-orm";
import type { TenantId } from "#contract/ids";
import { PriceSheet, type Prices } from "#contract/plan";
import type { Db } from "../db/client.ts";
import { monthOf } from "./month.ts";

/** What the tenant's sandboxes of this month cost; what was admitted has fixed it. */
export async function findPrices(db: Db, tenantId: TenantId, atMs: number): Promise<Prices> {
  const [row] = await db.all<{ sheet: string }>(sql`
    SELECT sheet FROM price_sheets WHERE tenant_id = ${tenantId} AND month = ${monthOf(atMs)}`);
  if (!row) throw new Error("A sandbox was admitted in a month without a price sheet.");
  return PriceSheet.parse(JSON.parse(row.sheet)).prices;
}
