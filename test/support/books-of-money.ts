import type { TenantId } from "#contract/ids";
import type { Harness } from "./harness.ts";

/** What is held, counted and noted for a tenant, by the rows themselves. */
export async function moneyOf(h: Pick<Harness, "database">, tenantId: TenantId) {
  const one = async (sql: string) =>
    Number((await h.database.client.execute({ sql, args: [tenantId] })).rows[0]?.n ?? 0);
  return {
    holds: await one("SELECT count(*) AS n FROM holds WHERE tenant_id = ? AND settled_at_ms IS NULL"),
    slots: await one("SELECT count(*) AS n FROM reservations WHERE tenant_id = ? AND released_at_ms IS NULL"),
    creates: await one("SELECT sum(creates) AS n FROM creates_by_day WHERE tenant_id = ?"),
  };
}

type Change = { capMicros?: number | null; plan?: string; limits?: Record<string, number | null> };

/** Changes what a tenant may do; the key's cache forgets within 5 s. */
export async function allow(
  h: Pick<Harness, "database" | "clock">,
  tenantId: TenantId,
  change: Change,
): Promise<void> {
  const { capMicros = null, plan = "scale", limits = {} } = change;
  await h.database.client.execute({
    sql: "UPDATE tenants SET monthly_cap_micros = ?, plan = ?, overrides = ? WHERE id = ?",
    args: [capMicros, plan, JSON.stringify(limits), tenantId],
  });
}

/** The same, on a plan with nothing free of charge: money is then the worst case's price. */
export async function allowBare(h: Pick<Harness, "database" | "clock">, tenantId: TenantId, change: Change) {
  await h.database.client.execute(`
    INSERT OR IGNORE INTO plans SELECT 'bare', json_set(definition, '$.name', 'bare', '$.included.cpuSeconds', 0,
      '$.included.memoryGibSeconds', 0, '$.included.diskGibSeconds', 0, '$.included.egressGib', 0), 0
    FROM plans WHERE name = 'standard'`);
  await allow(h, tenantId, { plan: "bare", ...change });
}
