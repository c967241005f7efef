import type { Tenant } from "#contract/tenant";
import type { TenantRow, Use } from "./store.ts";

/** A tenant as its operator sees it. */
export function toTenant({ tenantGraceMs }: { tenantGraceMs: number }, row: TenantRow, use?: Use): Tenant {
  const { suspendedAtMs, deletedAtMs, monthlyCapMicros } = row;
  return {
    id: row.id,
    name: row.name,
    state: stateOf(row),
    plan: row.plan,
    limits: row.limits,
    overrides: row.overrides,
    ...(monthlyCapMicros !== null && { budget: { monthlyCapMicros } }),
    createdAt: isoTime(row.createdAtMs),
    ...(suspendedAtMs !== null && { suspendedAt: isoTime(suspendedAtMs) }),
    ...(deletedAtMs !== null && {
      deletedAt: isoTime(deletedAtMs),
      removedAfter: isoTime(deletedAtMs + tenantGraceMs),
    }),
    ...(use && { use }),
  };
}

function stateOf({ suspendedAtMs, deletedAtMs }: TenantRow): Tenant["state"] {
  if (deletedAtMs !== null) return "deleted";
  return suspendedAtMs === null ? "active" : "suspended";
}

const isoTime = (ms: number): string => new Date(ms).toISOString();
