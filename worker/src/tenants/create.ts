import { newTenantId, type RandomBytes, type TenantId } from "#contract/ids";
import type { LimitOverrides } from "#contract/plan";
import { bySystem } from "../audit/store.ts";
import type { Clock } from "../context.ts";
import type { Db } from "../db/client.ts";
import { AppError, notFound } from "../errors.ts";
import { findPlan } from "./plans-store.ts";
import { insertTenant, type NewTenantRow } from "./store.ts";

type Deps = { db: Db; now: Clock; randomBytes: RandomBytes };

export type TenantTerms = {
  name: string;
  plan: string;
  limits?: LimitOverrides | undefined;
  monthlyCapMicros?: number | null;
};

export function draftTenant(deps: Pick<Deps, "now" | "randomBytes">, terms: TenantTerms): NewTenantRow {
  return {
    id: newTenantId(deps.randomBytes),
    name: terms.name,
    plan: terms.plan,
    overrides: terms.limits ?? {},
    monthlyCapMicros: terms.monthlyCapMicros ?? null,
    createdAtMs: deps.now(),
  };
}

/**
 * Makes a tenant without a key, for a process of ours.
 * @throws AppError `conflict` when the name is taken, `plan_not_found`
 */
export async function createTenant(deps: Deps, terms: TenantTerms): Promise<TenantId> {
  const row = draftTenant(deps, terms);
  if (!(await insertTenant(deps.db, row, { by: bySystem, key: null, record: null }))) {
    throw await tenantRefusal(deps.db, terms);
  }
  return row.id;
}

/** Why there is no tenant of these terms. */
export async function tenantRefusal(
  db: Db,
  { name, plan }: { name?: string | undefined; plan?: string | undefined },
): Promise<AppError> {
  if (plan !== undefined && !(await findPlan(db, plan))) return notFound("plans");
  return new AppError("conflict", `There is a tenant named ${JSON.stringify(name)} already.`);
}
