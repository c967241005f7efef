import { asc, eq, sql } from "drizzle-orm";
import { limits } from "#contract/limits";
import { Plan } from "#contract/plan";
import { auditStatement, type By } from "../audit/store.ts";
import type { Db } from "../db/client.ts";
import { runBatch } from "../db/rider.ts";
import { plans } from "../db/schema.ts";

// Plans are the operator's: they belong to no tenant.

type Change = { by: By; nowMs: number };

export async function listPlanRows(db: Db): Promise<Plan[]> {
  const rows = await db.select().from(plans).orderBy(asc(plans.name)).limit(limits.plansMax);
  return rows.map(({ definition }) => Plan.parse(definition));
}

export async function findPlan(db: Db, name: string): Promise<Plan | undefined> {
  const rows = await db.select().from(plans).where(eq(plans.name, name));
  return rows.map(({ definition }) => Plan.parse(definition))[0];
}

/** Whether it was put: a new one needs room among so many. */
export async function putPlanRow(db: Db, plan: Plan, { by, nowMs }: Change): Promise<boolean> {
  const [changed] = await runBatch(db, [
    db.run(sql`
      INSERT INTO plans (name, definition, updated_at_ms)
      SELECT ${plan.name}, ${JSON.stringify(plan)}, ${nowMs}
      WHERE EXISTS (SELECT 1 FROM plans WHERE name = ${plan.name})
        OR (SELECT count(*) FROM plans) < ${limits.plansMax}
      ON CONFLICT (name) DO UPDATE SET definition = excluded.definition, updated_at_ms = excluded.updated_at_ms`),
    auditStatement(db, {
      ...by,
      tenantId: null,
      atMs: nowMs,
      action: "plan.changed",
      subject: plan.name,
      details: { definition: JSON.stringify(plan) },
    }),
  ]);
  return changed === 1;
}

/** Whether it was deleted: no tenant is on it, not even a deleted one that may come back or has a month to be billed. */
export async function deletePlanRow(db: Db, name: string, { by, nowMs }: Change): Promise<boolean> {
  const [changed] = await runBatch(db, [
    db.run(sql`
      DELETE FROM plans WHERE name = ${name}
        AND NOT EXISTS (SELECT 1 FROM tenants WHERE plan = ${name} AND removed_at_ms IS NULL)`),
    auditStatement(db, { ...by, tenantId: null, atMs: nowMs, action: "plan.deleted", subject: name }),
  ]);
  return changed === 1;
}
