import type { TenantId } from "#contract/ids";
import type { PatchTenant, Tenant } from "#contract/tenant";
import { byOperator } from "../audit/store.ts";
import type { Keyring } from "../auth/keyring.ts";
import type { Clock, RequestCtx } from "../context.ts";
import type { Db } from "../db/client.ts";
import { tenantRefusal } from "./create.ts";
import { getTenant, requireTenant } from "./get.ts";
import { patchTenantRow } from "./store.ts";

type Deps = { db: Db; keyring: Keyring; now: Clock; tenantGraceMs: number };

/**
 * Changes a tenant's name, plan, limits or budget; here at once, in other isolates within five seconds.
 * @throws AppError `tenant_not_found`, `plan_not_found`, `conflict` when the name is taken
 */
export async function patchTenant(
  deps: Deps,
  ctx: RequestCtx,
  id: TenantId,
  patch: PatchTenant,
): Promise<Tenant> {
  const change = { patch, by: byOperator(ctx), nowMs: deps.now() };
  if (!(await patchTenantRow(deps.db, id, change))) {
    await requireTenant(deps, id);
    throw await tenantRefusal(deps.db, patch);
  }
  deps.keyring.forget(({ tenantId }) => tenantId === id);
  return getTenant(deps, id);
}
