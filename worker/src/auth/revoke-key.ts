import type { KeyId, TenantId } from "#contract/ids";
import { type By, bySystem } from "../audit/store.ts";
import type { Clock } from "../context.ts";
import type { Db } from "../db/client.ts";
import { notFound } from "../errors.ts";
import type { Keyring } from "./keyring.ts";
import { findKey, findTenantOfKey, revokeKeyRow } from "./keys-store.ts";

type Deps = { db: Db; keyring: Keyring; now: Clock };

/**
 * Ends an API key and the tokens made with it: at once in this isolate, within the cache's five seconds in the others.
 * To revoke it again changes nothing.
 * @throws AppError `key_not_found`
 */
export async function revokeKey(deps: Deps, tenantId: TenantId, id: KeyId, by: By = bySystem): Promise<void> {
  const isRevoked = await revokeKeyRow(deps.db, tenantId, { id, by, nowMs: deps.now() });
  if (!isRevoked && !(await findKey(deps.db, tenantId, id))) throw notFound("keys");
  deps.keyring.forget((known) => known.id === id);
}

/** The same for an operator, whoever's it is. @throws AppError `key_not_found` */
export async function revokeAnyKey(deps: Deps, id: KeyId, by: By): Promise<void> {
  const tenantId = await findTenantOfKey(deps.db, id);
  if (tenantId === undefined) throw notFound("keys");
  await revokeKey(deps, tenantId, id, by);
}
