import { newTenantId, type RandomBytes, type TenantId } from "#contract/ids";
import type { Clock } from "../context.ts";
import type { Db } from "../db/client.ts";
import { AppError } from "../errors.ts";
import { insertTenant } from "./store.ts";

type Deps = { db: Db; now: Clock; randomBytes: RandomBytes };

/**
 * Makes a tenant with its quota.
 * @throws AppError `conflict` when the name is taken.
 */
export async function createTenant(
  deps: Deps,
  input: { name: string; maxSandboxes: number },
): Promise<TenantId> {
  const id = newTenantId(deps.randomBytes);
  const isNew = await insertTenant(deps.db, { id, ...input, createdAtMs: deps.now(), suspendedAtMs: null });
  if (!isNew)
    throw new AppError("conflict", `There is a tenant named ${JSON.stringify(input.name)} already.`);
  return id;
}
