import type { KeyId, TenantId } from "#contract/ids";
import type { Clock } from "../context.ts";
import type { Db } from "../db/client.ts";
import { AppError } from "../errors.ts";
import type { Keyring } from "./keyring.ts";
import { revokeKeyRow } from "./store.ts";

type Deps = { db: Db; keyring: Keyring; now: Clock };

/**
 * Ends an API key: at once in this isolate, within the cache's five seconds in the others.
 * @throws AppError `not_found` when the tenant has no such key, or it is revoked already.
 */
export async function revokeKey(deps: Deps, tenantId: TenantId, keyId: KeyId): Promise<void> {
  const hash = await revokeKeyRow(deps.db, tenantId, keyId, deps.now());
  if (hash === undefined) throw new AppError("not_found", "There is no key with this id.");
  deps.keyring.known.deleteWhere((known) => known.id === keyId);
}
