import { sql } from "drizzle-orm";
import type { KeyId, TenantId } from "#contract/ids";
import { PriceSheet } from "#contract/plan";
import type { Statement as StatementBody } from "#contract/statement";
import type { Quantities } from "#contract/usage";
import { auditStatement } from "../audit/store.ts";
import type { Db } from "../db/client.ts";
import { runBatch, type Statement } from "../db/rider.ts";
import { sums } from "./sums-store.ts";

/** What one key has used of one template in a month, all of it in that month's bill. */
export type MonthPart = {
  tenantId: TenantId;
  template: string;
  keyId: KeyId;
  keyName: string | null;
  quantities: Quantities;
};
export type Closing = { tenantId: TenantId; body: StatementBody; used: Quantities };
type PartRow = Omit<MonthPart, "quantities"> & Quantities;

/** What a tenant has used in a month, or each of these. */
export async function monthParts(
  db: Db,
  tenantId: TenantId | readonly TenantId[],
  month: string,
): Promise<MonthPart[]> {
  const tenants = typeof tenantId === "string" ? [tenantId] : tenantId;
  const rows = await db.all<PartRow>(sql`
    SELECT u.tenant_id AS tenantId, u.template AS template, u.key_id AS keyId,
      (SELECT name FROM keys WHERE id = u.key_id AND tenant_id = u.tenant_id) AS keyName, ${sums}
    FROM usage_hours u
    WHERE u.tenant_id IN (SELECT value FROM json_each(${JSON.stringify(tenants)})) AND u.month = ${month}
    GROUP BY u.tenant_id, u.template, u.key_id`);
  return rows.map(({ tenantId: whose, template, keyId, keyName, ...quantities }) => ({
    tenantId: whose,
    template,
    keyId,
    keyName,
    quantities,
  }));
}

/** What a tenant's months are billed by: those that have begun, and what any other would begin with. */
export async function sheetsOf(db: Db, tenantId: TenantId) {
  const rows = await db.all<{ month: string | null; sheet: string }>(sql`
    SELECT month, sheet FROM price_sheets WHERE tenant_id = ${tenantId}
    UNION ALL SELECT NULL, sheet FROM tenant_plans WHERE tenant_id = ${tenantId}`);
  const sheets = new Map(rows.map(({ month, sheet }) => [month, PriceSheet.parse(JSON.parse(sheet))]));
  return (month: string): PriceSheet | undefined => sheets.get(month) ?? sheets.get(null);
}

export async function findStatement(
  db: Db,
  tenantId: TenantId,
  month: string,
): Promise<StatementBody | undefined> {
  const [row] = await db.all<{ body: string }>(
    sql`SELECT body FROM statements WHERE tenant_id = ${tenantId} AND month = ${month}`,
  );
  // Written by `closeStatements` from this very type.
  return row && (JSON.parse(row.body) as StatementBody);
}

export type Listed = { month: string; closedAtMs: number; totalMicros: number };

/** The closed ones, newest first. */
export async function listStatementRows(db: Db, tenantId: TenantId, limit: number): Promise<Listed[]> {
  return db.all<Listed>(sql`
    SELECT month, closed_at_ms AS closedAtMs, json_extract(body, '$.totalMicros') AS totalMicros
    FROM statements WHERE tenant_id = ${tenantId} ORDER BY month DESC LIMIT ${limit}`);
}

/** Months with usage that are not closed, newest first. */
export async function openMonths(db: Db, tenantId: TenantId, limit: number): Promise<string[]> {
  const rows = await db.all<{ month: string }>(sql`
    SELECT DISTINCT month FROM usage_months u WHERE tenant_id = ${tenantId}
      AND NOT EXISTS (SELECT 1 FROM statements WHERE tenant_id = ${tenantId} AND month = u.month)
    ORDER BY month DESC LIMIT ${limit}`);
  return rows.map(({ month }) => month);
}

/** Months up to this one that somebody has used and that are not closed for all, oldest first; steps from one to the next. */
export async function monthsToClose(db: Db, upTo: string, limit: number): Promise<string[]> {
  const rows = await db.all<{ month: string }>(sql`
    WITH RECURSIVE months (month) AS (
      SELECT min(month) FROM usage_months
      UNION ALL
      SELECT (SELECT min(month) FROM usage_months WHERE month > months.month) FROM months WHERE month < ${upTo}
    )
    SELECT month FROM months
    WHERE month <= ${upTo} AND month NOT IN (SELECT month FROM closed_months) ORDER BY month LIMIT ${limit}`);
  return rows.map(({ month }) => month);
}

const unclosed = (month: string) => sql`
  SELECT DISTINCT tenant_id FROM usage_months u WHERE month = ${month}
    AND NOT EXISTS (SELECT 1 FROM statements WHERE tenant_id = u.tenant_id AND month = ${month})`;

/**
 * Some of the tenants who have used something in a month that is not closed for them, with what they are billed by;
 * without those for whom that is not there or cannot be read.
 */
export async function tenantsToClose(
  db: Db,
  month: string,
  limit: number,
): Promise<{ tenantId: TenantId; sheet: PriceSheet }[]> {
  const rows = await db.all<{ tenantId: TenantId; sheet: string }>(sql`
    SELECT tenantId, sheet FROM (
      SELECT open.tenant_id AS tenantId, coalesce(
        (SELECT sheet FROM price_sheets WHERE tenant_id = open.tenant_id AND month = ${month}),
        (SELECT sheet FROM tenant_plans WHERE tenant_id = open.tenant_id)) AS sheet
      FROM (${unclosed(month)}) open)
    WHERE sheet IS NOT NULL AND json_valid(sheet) ORDER BY tenantId LIMIT ${limit}`);
  return rows.flatMap(({ tenantId, sheet }) => {
    const { success, data } = PriceSheet.safeParse(JSON.parse(sheet));
    return success ? [{ tenantId, sheet: data }] : [];
  });
}

/** Whoever a month is not closed for, some of them. */
export async function openTenants(db: Db, month: string, limit: number): Promise<TenantId[]> {
  const rows = await db.all<{ tenant_id: TenantId }>(sql`${unclosed(month)} LIMIT ${limit}`);
  return rows.map((row) => row.tenant_id);
}

/**
 * Closes a month for each of these, if what they have used is still what the statement says: usage only grows, so equal
 * sums are the same usage. Whoever was overtaken is closed by the next sweep. How many were closed.
 */
export async function closeStatements(
  db: Db,
  month: string,
  closings: readonly Closing[],
  nowMs: number,
): Promise<number> {
  const changed = await runBatch(db, [
    ...closings.flatMap(({ tenantId, body, used }) => [
      closeStatement(db, tenantId, { month, body, used }, nowMs),
      auditStatement(db, {
        tenantId,
        atMs: nowMs,
        actor: "system",
        action: "statement.closed",
        subject: month,
        details: { totalMicros: body.totalMicros },
        requestId: null,
      }),
    ]),
    db.run(sql`
      INSERT OR IGNORE INTO closed_months (month, closed_at_ms)
      SELECT ${month}, ${nowMs} WHERE NOT EXISTS (${unclosed(month)})`),
  ]);
  return closings.filter((_, i) => changed[2 * i] === 1).length;
}

function closeStatement(
  db: Db,
  tenantId: TenantId,
  { month, body, used }: Omit<Closing, "tenantId"> & { month: string },
  nowMs: number,
): Statement {
  const { cpuMs, memoryMiBSeconds, diskMiBSeconds, egressKiB, pausedMiBSeconds } = used;
  return db.run(sql`
    INSERT OR IGNORE INTO statements (tenant_id, month, body, closed_at_ms)
    SELECT ${tenantId}, ${month}, ${JSON.stringify(body)}, ${nowMs}
    FROM (SELECT ${sums} FROM usage_hours u WHERE u.tenant_id = ${tenantId} AND u.month = ${month}) now
    WHERE now.cpuMs = ${cpuMs} AND now.memoryMiBSeconds = ${memoryMiBSeconds}
      AND now.diskMiBSeconds = ${diskMiBSeconds} AND now.egressKiB = ${egressKiB}
      AND now.pausedMiBSeconds = ${pausedMiBSeconds}`);
}
