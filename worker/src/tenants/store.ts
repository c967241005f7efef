import { eq } from "drizzle-orm";
import type { TenantId } from "#contract/ids";
import type { Db } from "../db/client.ts";
import { tenants } from "../db/schema.ts";

export type TenantRow = typeof tenants.$inferSelect;

/** Whether the row is new; a name that is taken changes nothing. */
export async function insertTenant(db: Db, row: TenantRow): Promise<boolean> {
  const rows = await db
    .insert(tenants)
    .values(row)
    .onConflictDoNothing({ target: tenants.name })
    .returning({ id: tenants.id });
  return rows.length === 1;
}

export async function findTenantByName(db: Db, name: string): Promise<TenantId | undefined> {
  const rows = await db.select({ id: tenants.id }).from(tenants).where(eq(tenants.name, name));
  return rows[0]?.id;
}
