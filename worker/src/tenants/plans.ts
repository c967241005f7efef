import { limits } from "#contract/limits";
import type { Plan } from "#contract/plan";
import type { PlanList, PutPlan } from "#contract/tenant";
import { byOperator } from "../audit/store.ts";
import type { Keyring } from "../auth/keyring.ts";
import type { Clock, RequestCtx } from "../context.ts";
import type { Db } from "../db/client.ts";
import { AppError, notFound } from "../errors.ts";
import { deletePlanRow, findPlan, listPlanRows, putPlanRow } from "./plans-store.ts";

type Deps = { db: Db; keyring: Keyring; now: Clock };

/** All plans, by name; there are a hundred at most. */
export async function listPlans(deps: { db: Db }): Promise<PlanList> {
  return { items: await listPlanRows(deps.db) };
}

/** @throws AppError `plan_not_found` */
export async function getPlan(deps: { db: Db }, name: string): Promise<Plan> {
  const plan = await findPlan(deps.db, name);
  if (!plan) throw notFound("plans");
  return plan;
}

/**
 * Makes a plan, or changes it: its limits for all its tenants at once, its prices from their next months on.
 * @throws AppError `quota_exceeded` when there are as many plans as there may be
 */
export async function putPlan(deps: Deps, ctx: RequestCtx, name: string, terms: PutPlan): Promise<Plan> {
  const plan = { name, ...terms };
  if (!(await putPlanRow(deps.db, plan, { by: byOperator(ctx), nowMs: deps.now() }))) {
    throw new AppError(
      "quota_exceeded",
      `There may be ${limits.plansMax} plans. Delete one that is not used.`,
    );
  }
  deps.keyring.forget((key) => key.plan === name);
  return plan;
}

/** @throws AppError `plan_not_found`, `conflict` while a tenant is on it, also a deleted one that is not removed yet */
export async function deletePlan(deps: Deps, ctx: RequestCtx, name: string): Promise<void> {
  if (await deletePlanRow(deps.db, name, { by: byOperator(ctx), nowMs: deps.now() })) return;
  if (!(await findPlan(deps.db, name))) throw notFound("plans");
  throw new AppError(
    "conflict",
    "There are tenants on this plan. Give them another one first; deleted ones keep it until all of theirs is gone.",
  );
}
