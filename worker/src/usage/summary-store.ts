import { type SQL, sql } from "drizzle-orm";
import type { TenantId } from "#contract/ids";
import type { Quantities } from "#contract/usage";
import type { Db } from "../db/client.ts";
import { sums } from "./sums-store.ts";

/** Hours of a month's bill, or hours in order of time. */
export type Span = { month: string } | { fromHour: string; toHour: string };
export type GroupKey = "day" | "template" | "key" | { label: string };
export type UsageRow = { label: string | null; month: string } & Quantities;

/**
 * What was used, put together by label and month of billing.
 * @returns `undefined` when more than `rowsMax` rows would have to be looked at
 */
export async function usageRows(
  db: Db,
  tenantId: TenantId,
  { span, by, rowsMax }: { span: Span; by: GroupKey; rowsMax: number },
): Promise<UsageRow[] | undefined> {
  const rows = await db.all<UsageRow & { scanned: number }>(sql`
    SELECT ${labelOf(by)} AS label, u.month AS month, ${sums}, count(*) AS scanned
    FROM (SELECT * FROM ${typeof by === "object" ? eventsOf(tenantId, span) : hoursOf(tenantId, span)}
      LIMIT ${rowsMax + 1}) u
    GROUP BY 1, 2`);
  if (rows.reduce((sum, { scanned }) => sum + scanned, 0) > rowsMax) return undefined;
  return rows.map(({ scanned: _scanned, ...row }) => row);
}

function labelOf(by: GroupKey): SQL {
  if (by === "day") return sql`substr(u.hour, 1, 10)`;
  if (by === "template") return sql`u.template`;
  if (by === "key") return sql`u.key_id`;
  // Compared as a value: a path of JSON would have to be quoted.
  return sql`(SELECT value FROM json_each(u.metadata) WHERE key = ${by.label})`;
}

const hoursOf = (tenantId: TenantId, span: Span): SQL =>
  "month" in span
    ? sql`usage_hours WHERE tenant_id = ${tenantId} AND month = ${span.month}`
    : sql`usage_hours WHERE tenant_id = ${tenantId} AND hour >= ${span.fromHour} AND hour < ${span.toHour}`;

const billed = (tenantId: TenantId) => sql`usage_events WHERE tenant_id = ${tenantId} AND is_written_off = 0`;
const eventsOf = (tenantId: TenantId, span: Span): SQL =>
  "month" in span
    ? sql`${billed(tenantId)} AND month = ${span.month}`
    : sql`${billed(tenantId)} AND hour >= ${span.fromHour} AND hour < ${span.toHour}`;
