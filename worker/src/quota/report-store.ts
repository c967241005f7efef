import { sql } from "drizzle-orm";
import { type LimitOverrides, TenantLimits } from "#contract/plan";
import type { Db } from "../db/client.ts";
import { dayOf } from "./month.ts";
import { costUp, countedOf, termsOf, type Whose } from "./terms-store.ts";
import { units } from "./units.ts";

type Columns = {
  plan: string;
  limits: string;
  overrides: string;
  tenantCap: number | null;
  keyCap: number | null;
  sandboxes: number;
  runs: number;
  creates: number;
  storedBytes: number;
} & Record<"cpuUsed" | "cpuHeld" | "cpuQuota" | "memoryUsed" | "memoryHeld" | "memoryQuota", number | null> &
  Record<"spent" | "promised" | "keySpent" | "keyPromised", number>;

export type QuotaFacts = Omit<Columns, "limits" | "overrides"> & {
  limits: TenantLimits;
  overrides: LimitOverrides;
};

const each = (of: (column: string) => string) => sql.raw(units.map(({ column }) => of(column)).join(", "));

// The very sums that admission decides by, once for what is used (`u_`, and `v_` of the key) and once with what is held.
const usedAndHeld = each(
  (column) => `
    ifnull(sum(${column} * (1 - h)), 0) AS u_${column}, ifnull(sum(${column}), 0) AS q_${column},
    ifnull(sum(${column} * (1 - h) * k), 0) AS v_${column}, ifnull(sum(${column} * k), 0) AS w_${column}`,
);
const pastIncluded = each(
  (column) => `
    max(0, u_${column} - i_${column}) AS a_${column}, max(0, q_${column} - i_${column}) AS b_${column}`,
);

/** What the tenant of a key may, has used and holds; one read. `undefined` = there is no such tenant. */
export async function quotaFacts(db: Db, whose: Whose, nowMs: number): Promise<QuotaFacts | undefined> {
  const { tenantId } = whose;
  const [row] = await db.all<Columns>(sql`
    WITH ${termsOf(whose, true)}, ${countedOf(whose)},
    both AS MATERIALIZED (
      SELECT ${usedAndHeld}, ifnull(sum(money), 0) AS money, ifnull(sum(money * k), 0) AS key_money FROM counted),
    past AS MATERIALIZED (SELECT *, ${pastIncluded} FROM rates, both)
    SELECT s->>'plan' AS plan, l AS limits, (SELECT overrides FROM tenants WHERE id = ${tenantId}) AS overrides,
      tenant_cap AS tenantCap, key_cap AS keyCap,
      (SELECT count(*) FROM reservations WHERE tenant_id = ${tenantId} AND released_at_ms IS NULL) AS sandboxes,
      (SELECT count(*) FROM runs WHERE tenant_id = ${tenantId} AND state IN ('queued', 'leased', 'running')) AS runs,
      ifnull((SELECT creates FROM creates_by_day WHERE tenant_id = ${tenantId} AND day = ${dayOf(nowMs)}), 0)
        AS creates,
      ifnull((SELECT bytes FROM stored_output WHERE tenant_id = ${tenantId}), 0) AS storedBytes,
      u_cpu_ms AS cpuUsed, q_cpu_ms - u_cpu_ms AS cpuHeld,
      iif(is_blocking, min(ifnull(cpu_quota, i_cpu_ms), i_cpu_ms), cpu_quota) AS cpuQuota,
      u_memory_mib_seconds AS memoryUsed, q_memory_mib_seconds - u_memory_mib_seconds AS memoryHeld,
      iif(is_blocking, min(ifnull(memory_quota, i_memory_mib_seconds), i_memory_mib_seconds), memory_quota)
        AS memoryQuota,
      ${sql.raw(costUp("a_"))} AS spent, ${sql.raw(costUp("b_"))} + money AS promised,
      ${sql.raw(costUp("v_"))} AS keySpent, ${sql.raw(costUp("w_"))} + key_money AS keyPromised
    FROM past`);
  if (!row) return undefined;
  const limits = TenantLimits.parse(JSON.parse(row.limits));
  // Checked when they were written.
  return { ...row, limits, overrides: JSON.parse(row.overrides) as LimitOverrides };
}
