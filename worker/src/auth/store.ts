import { and, eq, gt, inArray, isNull, ne, or, sql } from "drizzle-orm";
import type { Scope } from "#contract/api";
import type { KeyId, TenantId } from "#contract/ids";
import { type KeyRate, TenantLimits } from "#contract/plan";
import type { Db } from "../db/client.ts";
import { keys, tenants } from "../db/schema.ts";

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
  /** Nothing but counts limits the tenant and the key: no monthly quota, no cap, and overage is billed. */
  isUnmetered: boolean;
  /** What restricts the key itself. */
  rate: KeyRate | null;
  templates: string[] | null;
};

/** The one read that has no tenant yet: it finds out whose key this is. */
export async function findKeyByHash(db: Db, hash: string): Promise<FoundKey | undefined> {
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
      limits: sql<string>`(SELECT limits FROM tenant_plans WHERE tenant_id = ${tenants.id})`,
      hasCaps: sql<number>`${tenants.monthlyCapMicros} IS NOT NULL OR ${keys.monthlyCapMicros} IS NOT NULL`,
      overage: sql<string>`(SELECT sheet->>'overage' FROM tenant_plans WHERE tenant_id = ${tenants.id})`,
      rate: keys.rate,
      templates: keys.templates,
    })
    .from(keys)
    .innerJoin(tenants, eq(tenants.id, keys.tenantId))
    .where(eq(keys.hash, hash));
  const row = rows[0];
  if (!row) return undefined;
  const { hasCaps, overage, ...found } = row;
  const limits = TenantLimits.parse(JSON.parse(row.limits));
  const hasQuotas = limits.cpuSecondsPerMonth !== null || limits.memoryGibSecondsPerMonth !== null;
  return { ...found, limits, isUnmetered: hasCaps === 0 && overage === "bill" && !hasQuotas };
}

export async function insertKey(db: Db, tenantId: TenantId, row: Omit<KeyRow, "tenantId">): Promise<void> {
  await db.insert(keys).values({ ...row, tenantId });
}

/** The hash of the key that was revoked now; `undefined` when there was none to revoke. */
export async function revokeKeyRow(db: Db, tenantId: TenantId, keyId: KeyId, nowMs: number) {
  const rows = await db
    .update(keys)
    .set({ revokedAtMs: nowMs })
    .where(and(eq(keys.tenantId, tenantId), eq(keys.id, keyId), isNull(keys.revokedAtMs)))
    .returning({ hash: keys.hash });
  return rows[0]?.hash;
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
        inArray(keys.id, [...ids]),
        isNull(keys.revokedAtMs),
        or(isNull(keys.expiresAtMs), gt(keys.expiresAtMs, nowMs)),
        isNull(tenants.suspendedAtMs),
      ),
    );
  const valid = new Set(rows.map(({ id }) => id));
  return ids.filter((id) => !valid.has(id));
}
