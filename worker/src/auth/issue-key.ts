import type { KeyId, TenantId } from "#contract/ids";
import { bySystem } from "../audit/store.ts";
import type { Db } from "../db/client.ts";
import { AppError } from "../errors.ts";
import { draftKey, type KeyDeps, type KeyTerms } from "./draft-key.ts";
import { insertKey } from "./keys-store.ts";

/**
 * Makes an API key for a process of ours, such as the first one of `npm start`.
 * @throws AppError `tenant_not_found`, or the tenant has as many as it may
 */
export async function issueKey(
  deps: KeyDeps & { db: Db },
  { tenantId, ...terms }: KeyTerms & { tenantId: TenantId },
): Promise<{ id: KeyId; key: string }> {
  const { key, row } = await draftKey(deps, terms);
  const made = { row, by: bySystem, maker: "operator" as const, record: null };
  if (!(await insertKey(deps.db, tenantId, made))) {
    throw new AppError("tenant_not_found", "There is no such tenant, or it has as many keys as it may.");
  }
  return { id: row.id, key };
}
