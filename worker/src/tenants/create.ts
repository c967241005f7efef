import { newTenantId, type RandomBytes, type TenantId } from "#contract/ids";
import type { TenantLimits } from "#contract/plan";
import type { Clock } from "../context.ts";
import type { Db } from "../db/client.ts";
import { AppError } from "../errors.ts";
import { insertTenant } from "./store.ts";

type Deps = { db: Db; now: Clock; randomBytes: RandomBytes };

type NewTenant = { name: string; plan: string; limits?: Partial<TenantLimits> };

/**
 * Makes a tenant on a plan, with overrides of the plan's limits.
 * @throws AppError `conflict` when the name is taken.
 */
export async function createTenant(deps: Deps, input: NewTenant): Promise<TenantId> {
  const id = newTenantId(deps.randomBytes);
  const isNew = await insertTenant(deps.db, {
    id,
    name: input.name,
    plan: input.plan,
    overrides: input.limits ?? {},
    monthlyCapMicros: null,
    createdAtMs: deps.now(),
    suspendedAtMs: null,
    deletedAtMs: null,
  });
  if (!isNew)
    throw new AppError("conflict", `There is a tenant named ${JSON.stringify(input.name)} already.`);
  return id;
}
