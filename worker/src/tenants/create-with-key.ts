import { api, scopes } from "#contract/api";
import type { CreateTenant, NewTenant } from "#contract/tenant";
import { byOperator } from "../audit/store.ts";
import { draftKey, type KeyDeps } from "../auth/draft-key.ts";
import type { RequestCtx } from "../context.ts";
import type { Db } from "../db/client.ts";
import type { Made } from "../idempotency/once.ts";
import { refuseRepetition, secretRecord } from "../idempotency/once-secret.ts";
import { draftTenant, tenantRefusal } from "./create.ts";
import { findTenant, insertTenant } from "./store.ts";
import { toTenant } from "./view.ts";

type Deps = KeyDeps & Parameters<typeof secretRecord>[0] & { db: Db; tenantGraceMs: number };

const defaultPlan = "free";
const firstKeyName = "first";

/**
 * Makes a tenant and its first key, with every scope, in one batch.
 * @throws AppError `conflict` when the name is taken, `plan_not_found`, `already_created`
 */
export async function createTenantWithKey(
  deps: Deps,
  ctx: RequestCtx,
  input: CreateTenant,
  asked: Parameters<typeof secretRecord>[2],
): Promise<Made<NewTenant>> {
  const record = await secretRecord(deps, "operator", asked);
  const { name, plan = defaultPlan, limits, budget } = input;
  const terms = { name, plan, limits, monthlyCapMicros: budget?.monthlyCapMicros ?? null };
  const row = draftTenant(deps, terms);
  const { key, row: keyRow } = await draftKey(deps, { name: firstKeyName, scopes });
  if (!(await insertTenant(deps.db, row, { by: byOperator(ctx), key: keyRow, record }))) {
    await refuseRepetition(deps, record);
    throw await tenantRefusal(deps.db, terms);
  }
  const made = await findTenant(deps.db, row.id);
  if (!made) throw new Error("A tenant was removed as it was made.");
  const result = { ...toTenant(deps, made), keyId: keyRow.id, apiKey: key };
  return { status: api.createTenant.status, result, isReplayed: false };
}
