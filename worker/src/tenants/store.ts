import { and, eq, isNotNull, isNull, type SQL, sql } from "drizzle-orm";
import type { TenantId } from "#contract/ids";
import { type LimitOverrides, readLimits, type TenantLimits } from "#contract/plan";
import type { ListTenants, PatchTenant } from "#contract/tenant";
import { auditStatement, type By } from "../audit/store.ts";
import { keyStatements, type NewKeyRow } from "../auth/keys-store.ts";
import type { Position } from "../cursor.ts";
import type { Db } from "../db/client.ts";
import { cutPage, newestFirst, older } from "../db/page.ts";
import { runBatch } from "../db/rider.ts";
import { tenants } from "../db/schema.ts";
import { type MadeRecord, madeStatements, notMadeYet } from "../idempotency/secret-store.ts";

// Tenants belong to the operator: functions that make, find or list them take none.

export type TenantRow = typeof tenants.$inferSelect & { limits: TenantLimits };
export type NewTenantRow = {
  id: TenantId;
  name: string;
  plan: string;
  overrides: LimitOverrides;
  monthlyCapMicros: number | null;
  createdAtMs: number;
};
type Making = { by: By; key: NewKeyRow | null; record: MadeRecord | null };

/** Whether the tenant was made, with its first key: its plan is there, its name free, no earlier request made it. */
export async function insertTenant(db: Db, row: NewTenantRow, { by, key, record }: Making): Promise<boolean> {
  const isMade = sql`EXISTS (SELECT 1 FROM tenants WHERE id = ${row.id})`;
  const [inserted] = await runBatch(db, [
    db.run(sql`
      INSERT INTO tenants (id, name, plan, overrides, monthly_cap_micros, created_at_ms)
      SELECT ${row.id}, ${row.name}, ${row.plan}, ${JSON.stringify(row.overrides)}, ${row.monthlyCapMicros},
        ${row.createdAtMs}
      WHERE EXISTS (SELECT 1 FROM plans WHERE name = ${row.plan})
        AND NOT EXISTS (SELECT 1 FROM tenants WHERE name = ${row.name}) AND ${notMadeYet(record)}`),
    auditStatement(db, {
      ...by,
      tenantId: row.id,
      atMs: row.createdAtMs,
      action: "tenant.created",
      subject: row.id,
      details: { name: row.name, plan: row.plan },
    }),
    ...(key ? keyStatements(db, row.id, { row: key, by, condition: isMade }) : []),
    ...madeStatements(db, row.id, { record, resourceId: row.id, isMade }),
  ]);
  return inserted === 1;
}

export async function findTenantByName(db: Db, name: string): Promise<TenantId | undefined> {
  const rows = await db.select({ id: tenants.id }).from(tenants).where(eq(tenants.name, name));
  return rows[0]?.id;
}

const isThere = isNull(tenants.removalBeganAtMs);
/** What operators see; whose plan is gone has no limits and is found all the same by nobody. */
const columns = {
  row: tenants,
  limits: sql<string>`(SELECT limits FROM tenant_plans WHERE tenant_id = tenants.id)`,
};
const toRow = ({ row, limits }: { row: typeof tenants.$inferSelect; limits: string }): TenantRow => ({
  ...row,
  limits: readLimits(limits),
});

/** A tenant whose removal has not begun. */
export async function findTenant(db: Db, tenantId: TenantId): Promise<TenantRow | undefined> {
  const rows = await db
    .select(columns)
    .from(tenants)
    .where(and(eq(tenants.id, tenantId), isThere));
  return rows.map(toRow)[0];
}

export async function listTenantRows(
  db: Db,
  page: { limit: number; after: Position | undefined } & Pick<ListTenants, "state" | "plan">,
) {
  const rows = await db
    .select(columns)
    .from(tenants)
    .where(
      and(
        isThere,
        stateIs(page.state),
        page.plan === undefined ? undefined : eq(tenants.plan, page.plan),
        older(tenants, page.after),
      ),
    )
    .orderBy(...newestFirst(tenants))
    .limit(page.limit + 1);
  return cutPage(rows.map(toRow), page.limit);
}

function stateIs(state: ListTenants["state"]): SQL | undefined {
  if (state === undefined) return undefined;
  if (state === "deleted") return isNotNull(tenants.deletedAtMs);
  const isSuspended = isNotNull(tenants.suspendedAtMs);
  return and(
    isNull(tenants.deletedAtMs),
    state === "suspended" ? isSuspended : isNull(tenants.suspendedAtMs),
  );
}

export type Use = { sandboxes: number; runs: number; createsToday: number; keys: number };

/** @param day of UTC, as in `2026-01-31` */
export async function useOf(db: Db, tenantId: TenantId, day: string): Promise<Use> {
  const rows = await db.all<Use>(sql`
    SELECT
      (SELECT count(*) FROM reservations WHERE tenant_id = ${tenantId} AND released_at_ms IS NULL) AS sandboxes,
      (SELECT count(*) FROM runs WHERE tenant_id = ${tenantId} AND state IN ('queued', 'leased', 'running')) AS runs,
      coalesce((SELECT creates FROM creates_by_day WHERE tenant_id = ${tenantId} AND day = ${day}), 0) AS createsToday,
      (SELECT count(*) FROM keys WHERE tenant_id = ${tenantId} AND revoked_at_ms IS NULL) AS keys`);
  return rows[0] ?? { sandboxes: 0, runs: 0, createsToday: 0, keys: 0 };
}

/** Changes what the patch names, in one statement. Whether there was such a tenant, its new plan, and a free name. */
export async function patchTenantRow(
  db: Db,
  tenantId: TenantId,
  { patch, by, nowMs }: { patch: PatchTenant; by: By; nowMs: number },
): Promise<boolean> {
  const { name, plan, limits, budget } = patch;
  const sets = [
    ...(name === undefined ? [] : [sql`name = ${name}`]),
    ...(plan === undefined ? [] : [sql`plan = ${plan}`]),
    // RFC 7396: `null` drops an override.
    ...(limits === undefined ? [] : [sql`overrides = json_patch(overrides, ${JSON.stringify(limits)})`]),
    ...(budget === undefined ? [] : [sql`monthly_cap_micros = ${budget?.monthlyCapMicros ?? null}`]),
  ];
  const [changed] = await runBatch(db, [
    db.run(sql`
      UPDATE tenants SET ${sql.join(sets, sql`, `)}
      WHERE id = ${tenantId} AND removal_began_at_ms IS NULL
        AND ${plan === undefined ? sql`TRUE` : sql`EXISTS (SELECT 1 FROM plans WHERE plans.name = ${plan})`}
        AND ${name === undefined ? sql`TRUE` : sql`NOT EXISTS (SELECT 1 FROM tenants WHERE name = ${name} AND id <> ${tenantId})`}`),
    auditStatement(db, {
      ...by,
      tenantId,
      atMs: nowMs,
      action: "tenant.changed",
      subject: tenantId,
      details: {
        changed: Object.keys(patch).sort().join(" "),
        ...(plan !== undefined && { plan }),
        ...(budget !== undefined && { monthlyCapMicros: budget?.monthlyCapMicros ?? null }),
        ...(limits !== undefined && { limits: JSON.stringify(limits) }),
      },
    }),
  ]);
  return changed === 1;
}
