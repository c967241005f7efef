import type { TenantId } from "#contract/ids";
import type { Tenant } from "#contract/tenant";
import type { Clock } from "../context.ts";
import type { Db } from "../db/client.ts";
import { notFound } from "../errors.ts";
import { findTenant, useOf } from "./store.ts";
import { toTenant } from "./view.ts";

type Deps = { db: Db; now: Clock; tenantGraceMs: number };

/** A tenant with what it uses at this moment. @throws AppError `tenant_not_found` */
export async function getTenant(deps: Deps, id: TenantId): Promise<Tenant> {
  const row = await findTenant(deps.db, id);
  if (!row) throw notFound("tenants");
  const today = new Date(deps.now()).toISOString().slice(0, 10);
  return toTenant(deps, row, await useOf(deps.db, id, today));
}

/** @throws AppError `tenant_not_found` */
export async function requireTenant(deps: { db: Db }, id: TenantId): Promise<void> {
  if (!(await findTenant(deps.db, id))) throw notFound("tenants");
}
