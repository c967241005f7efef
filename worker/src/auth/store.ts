import { and, eq, gt, isNull, ne, or, type SQL, sql } from "drizzle-orm";
import type { Scope } from "#contract/api";
import type { KeyId, TenantId } from "#contract/ids";
import { type KeyRate, readLimits, type TenantLimits } from "#contract/plan";
import type { Db } from "../db/client.ts";
import { keys, tenants } from "../db/schema.ts";
import { ratesOf, type TenantRates } from "../ratelimit/rates.ts";

export type KeyRow = typeof keys.$inferSelect;
export type FoundKey = {
  id: KeyId;
  tenantId: TenantId;
  scopes: Scope[];
  expiresAtMs: number | null;
  revokedAtMs: number | null;
  lastUsedAtMs: number | null;
  suspendedAtMs: number | null;
  plan: string;
  /** The plan's, with the tenant's overrides. */
  limits: TenantLimits;
  rates: TenantRates;
  /** Nothing but counts limits the tenant and the key: no monthly quota, no cap, and overage is billed. */
  isUnmetered: boolean;
  /** What restricts the key itself. */
  rate: KeyRate | null;
  templates: string[] | null;
  monthlyCapMicros: number | null;
};

/** The one read that has no tenant yet: it finds out whose key this is. */
export const findKeyByHash = (db: Db, hash: string) => findKeyWhere(db, eq(keys.hash, hash));

/** The same, for what a token says of the key that it was made with. */
export const findKeyById = (db: Db, tenantId: TenantId, keyId: KeyId) =>
  findKeyWhere(db, and(eq(keys.tenantId, tenantId), eq(keys.id, keyId)));

async function findKeyWhere(db: Db, where: SQL | undefined): Promise<FoundKey | undefined> {
  const rows = await db
    .select({
      id: keys.id,
      tenantId: keys.tenantId,
      scopes: keys.scopes,
      expiresAtMs: keys.expiresAtMs,
      revokedAtMs: keys.revokedAtMs,
      lastUsedAtMs: keys.lastUsedAtMs,
      suspendedAtMs: tenants.suspendedAtMs,
      plan: tenants.plan,
      overrides: tenants.overrides,
      limits: sql<string>`(SELECT limits FROM tenant_plans WHERE tenant_id = ${tenants.id})`,
      hasCaps: sql<number>`${tenants.monthlyCapMicros} IS NOT NULL OR ${keys.monthlyCapMicros} IS NOT NULL`,
      overage: sql<string>`(SELECT sheet->>'overage' FROM tenant_plans WHERE tenant_id = ${tenants.id})`,
      rate: keys.rate,
      templates: keys.templates,
      monthlyCapMicros: keys.monthlyCapMicros,
    })
    .from(keys)
    .innerJoin(tenants, eq(tenants.id, keys.tenantId))
    .where(where);
  const row = rows[0];
  if (!row) return undefined;
  const { overrides, hasCaps, overage, ...found } = row;
  const limits = readLimits(row.limits);
  const hasQuotas = limits.cpuSecondsPerMonth !== null || limits.memoryGibSecondsPerMonth !== null;
  const isUnmetered = hasCaps === 0 && overage === "bill" && !hasQuotas;
  return { ...found, limits, rates: ratesOf(limits, overrides), isUnmetered };
}

/** Gives the key of this name these scopes, if it has fewer and still counts. */
export async function grantScopes(
  db: Db,
  tenantId: TenantId,
  grant: { keyId: KeyId; name: string; scopes: readonly Scope[] },
): Promise<void> {
  const scopes = [...grant.scopes];
  await db
    .update(keys)
    .set({ scopes })
    .where(
      and(
        eq(keys.tenantId, tenantId),
        eq(keys.id, grant.keyId),
        eq(keys.name, grant.name),
        ne(keys.scopes, scopes),
        isNull(keys.revokedAtMs),
      ),
    );
}

export async function noteKeyUsed(db: Db, tenantId: TenantId, keyId: KeyId, nowMs: number): Promise<void> {
  await db
    .update(keys)
    .set({ lastUsedAtMs: nowMs })
    .where(and(eq(keys.tenantId, tenantId), eq(keys.id, keyId)));
}

/** Which of these keys may do nothing any more: revoked, expired, unknown, or of a suspended tenant. */
export async function refusedAmong(db: Db, ids: readonly KeyId[], nowMs: number): Promise<KeyId[]> {
  const rows = await db
    .select({ id: keys.id })
    .from(keys)
    .innerJoin(tenants, eq(tenants.id, keys.tenantId))
    .where(
      and(
        sql`${keys.id} IN (SELECT value FROM json_each(${JSON.stringify(ids)}))`,
        isNull(keys.revokedAtMs),
        or(isNull(keys.expiresAtMs), gt(keys.expiresAtMs, nowMs)),
        isNull(tenants.suspendedAtMs),
      ),
    );
  const valid = new Set(rows.map(({ id }) => id));
  return ids.filter((id) => !valid.has(id));
}
