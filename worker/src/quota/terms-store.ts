import { type SQL, sql } from "drizzle-orm";
import type { KeyId, TenantId } from "#contract/ids";
import { units } from "./units.ts";

// The common table expressions that admission and its explanation are made of. What is the same in each statement is put
// together once: it is most of the text.

const raw = sql.raw;
const list = (of: (unit: (typeof units)[number]) => string) => units.map(of).join(", ");
const sum = (of: (unit: (typeof units)[number]) => string) => units.map(of).join(" + ");

/** Micro-dollars of a quantity, rounded up, in whole numbers that never overflow. */
const up = (amount: string, price: string, per: number) =>
  `${amount} / ${per} * ${price} + (${amount} % ${per} * ${price} + ${per - 1}) / ${per}`;
/** The same, rounded down. */
const down = (amount: string, price: string, per: number) =>
  `${amount} / ${per} * ${price} + ${amount} % ${per} * ${price} / ${per}`;

/** The list price of quantities in columns of one prefix. */
export const costUp = (prefix: string) =>
  sum(({ column, per }) => up(`${prefix}${column}`, `p_${column}`, per));
const costDown = (prefix: string) => sum(({ column, per }) => down(`${prefix}${column}`, `p_${column}`, per));

/** Whose limits, with which key, in which month. */
export type Whose = { tenantId: TenantId; keyId: KeyId | SQL; month: string };

/**
 * `terms`, one row: the tenant's limits (`l`), the month's price sheet (`s`), both caps; no row for a tenant that may do
 * nothing, unless `evenClosed`.
 */
export function termsOf({ tenantId, keyId, month }: Whose, evenClosed = false): SQL {
  return sql`
    terms AS MATERIALIZED (
      SELECT t.monthly_cap_micros AS tenant_cap, p.limits AS l, t.suspended_at_ms, t.deleted_at_ms,
        (SELECT monthly_cap_micros FROM keys WHERE id = ${keyId} AND tenant_id = t.id) AS key_cap,
        ifnull((SELECT sheet FROM price_sheets WHERE tenant_id = ${tenantId} AND month = ${month}), p.sheet) AS s
      FROM tenants t JOIN tenant_plans p ON p.tenant_id = t.id
      WHERE t.id = ${tenantId} ${raw(evenClosed ? "" : "AND t.suspended_at_ms IS NULL AND t.deleted_at_ms IS NULL")})`;
}

const rateColumns = raw(
  list(({ column, price, included }) => {
    const free = included ? `(s->>'$.included.${included.of}') * ${included.per}` : "0";
    return `s->>'$.prices.${price}' AS p_${column}, ${free} AS i_${column}`;
  }),
);
const quotaColumns = raw(`
  (l->>'cpuSecondsPerMonth') * 1000 AS cpu_quota, (l->>'memoryGibSecondsPerMonth') * 1024 AS memory_quota,
  s->>'overage' = 'block' AS is_blocking,
  l->>'cpuSecondsPerMonth' IS NOT NULL OR l->>'memoryGibSecondsPerMonth' IS NOT NULL OR s->>'overage' = 'block'
    AS by_quantity`);

const left = (column: string) => `max(0, h.${column} - h.used_${column})`;
// Where quantities themselves are limited, a sandbox's own cap holds none of them back: it counts with all it can use.
const isCapped = "h.cap_micros IS NOT NULL AND NOT by_quantity";
const leftColumns = list(({ column }) => `${left(column)} AS r_${column}`);
/** What a capped sandbox can still cost: what its cap leaves, or all that is left of its life if that is less. */
export const cappedCost = (cap: string, remaining: string, used: string) =>
  `max(0, min(${cap} - (${costDown(used)}), ${costUp(remaining)}))`;
const heldColumns = raw(list(({ column }) => `iif(is_capped, 0, r_${column})`));
const heldMoney = raw(`iif(is_capped, ${cappedCost("cap_micros", "r_", "used_")}, 0)`);
const usedColumns = raw(list(({ column }) => `${column} AS ${column}`));

/** `counted`: a row for what each key has used in the month (`h` 0) and each open hold (`h` 1); `k`: with this key. */
export function countedOf({ tenantId, keyId, month }: Whose, excluding = ""): SQL {
  return sql`
    rates AS MATERIALIZED (SELECT *, ${rateColumns}, ${quotaColumns} FROM terms),
    counted AS (
      SELECT 0 AS h, key_id = ${keyId} AS k, ${usedColumns}, 0 AS money
      FROM usage_months WHERE tenant_id = ${tenantId} AND month = ${month}
      UNION ALL
      SELECT 1, key_id = ${keyId}, ${heldColumns}, ${heldMoney}
      FROM (SELECT h.*, ${raw(isCapped)} AS is_capped, ${raw(leftColumns)}, rates.*
        FROM rates, holds h
        WHERE h.tenant_id = ${tenantId} AND h.settled_at_ms IS NULL AND h.sandbox_id <> ${excluding}))`;
}

const all = list(({ column }) => `ifnull(sum(${column}), 0) AS q_${column}`);
const keys = list(({ column }) => `ifnull(sum(${column} * k), 0) AS k_${column}`);

/** `sums`, one row: used and held together, of the tenant (`q_`) and of the key (`k_`). */
export const sumsOf: SQL = raw(`
  sums AS MATERIALIZED (
    SELECT ${all}, ${keys}, ifnull(sum(money), 0) AS q_money, ifnull(sum(money * k), 0) AS k_money FROM counted)`);

const onlyIfCapped = (yes: string, no: string) => `iif(cap_micros IS NULL OR by_quantity, ${no}, ${yes})`;

/**
 * `asked`, one row: what is there and what is needed (`n_`, for each of `count`), side by side; `x_` is what is
 * added in quantities, `x_money` in money.
 */
export const askedOf: SQL = raw(`
  asked AS MATERIALIZED (
    SELECT *, ${list(({ column }) => `max(0, q_${column} + x_${column} - i_${column}) AS b_${column}`)},
      ${list(({ column }) => `k_${column} + x_${column} AS y_${column}`)}
    FROM (
      SELECT *, ${list(({ column }) => onlyIfCapped("0", `count * n_${column}`).concat(` AS x_${column}`))},
        ${onlyIfCapped(`count * ${cappedCost("cap_micros", "n_", "used_")}`, "0")} AS x_money
      FROM rates, sums, need))`);

/** Whether quotas, included amounts and caps leave room for what is `asked`. */
export const fits: SQL = raw(`
  (cpu_quota IS NULL OR q_cpu_ms + x_cpu_ms <= cpu_quota)
  AND (memory_quota IS NULL OR q_memory_mib_seconds + x_memory_mib_seconds <= memory_quota)
  AND (NOT is_blocking OR (${units.map(({ column }) => `b_${column} = 0`).join(" AND ")}))
  AND (tenant_cap IS NULL OR ${costUp("b_")} + q_money + x_money <= tenant_cap)
  AND (key_cap IS NULL OR ${costUp("y_")} + k_money + x_money <= key_cap)`);

/** Whether nothing but counts limits the tenant and the key: then no hold needs to be looked at. */
export const isUnmetered: SQL = raw(`
  tenant_cap IS NULL AND key_cap IS NULL AND s->>'overage' = 'bill'
  AND l->>'cpuSecondsPerMonth' IS NULL AND l->>'memoryGibSecondsPerMonth' IS NULL`);
