import type { TenantId } from "#contract/ids";
import type { Tenant } from "#contract/tenant";
import { byOperator } from "../audit/store.ts";
import type { Keyring } from "../auth/keyring.ts";
import type { Clock, RequestCtx } from "../context.ts";
import type { Db } from "../db/client.ts";
import { getTenant } from "./get.ts";
import { deleteRow, resumeRow, suspendRow } from "./standing-store.ts";

type Deps = { db: Db; keyring: Keyring; now: Clock; tenantGraceMs: number };

/**
 * Refuses a tenant's keys and ends what it has under way: here at once, elsewhere within five seconds, when hosts have
 * sent their next heartbeat and isolates read the key anew. To do it again changes nothing.
 * @throws AppError `tenant_not_found`
 */
export const suspendTenant = (deps: Deps, ctx: RequestCtx, id: TenantId) => change(deps, ctx, id, suspendRow);

/** Undoes it, and a deletion whose grace is not over. What was ended stays ended. @throws AppError `tenant_not_found` */
export const resumeTenant = (deps: Deps, ctx: RequestCtx, id: TenantId) => change(deps, ctx, id, resumeRow);

/** Suspends a tenant for good: when the grace is over, a sweep removes it. @throws AppError `tenant_not_found` */
export async function deleteTenant(deps: Deps, ctx: RequestCtx, id: TenantId): Promise<void> {
  await change(deps, ctx, id, deleteRow);
}

async function change(deps: Deps, ctx: RequestCtx, id: TenantId, write: typeof suspendRow): Promise<Tenant> {
  await write(deps.db, id, { by: byOperator(ctx), nowMs: deps.now() });
  deps.keyring.forget(({ tenantId }) => tenantId === id);
  return getTenant(deps, id);
}
