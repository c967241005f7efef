import type { Scope } from "#contract/api";
import { authenticate } from "../auth/authenticate.ts";
import type { Keyring } from "../auth/keyring.ts";
import type { Clock, Ctx } from "../context.ts";
import type { Db } from "../db/client.ts";
import { AppError } from "../errors.ts";
import type { RequestState } from "./state.ts";

type Deps = { db: Db; keyring: Keyring; now: Clock };

/**
 * Who asks, and whether the key may do this. No hop while the key is in the isolate's cache, one read when not.
 * @throws AppError `unauthenticated`, `forbidden`
 */
export async function requireCaller(
  deps: Deps,
  state: RequestState,
  headers: Headers,
  scope: Scope,
): Promise<Ctx> {
  const key = await authenticate(deps, state.ctx, headers);
  const { id: keyId, tenantId, scopes, limits, isUnmetered } = key;
  const caller: Ctx = { ...state.ctx, tenantId, keyId, scopes, limits, isUnmetered };
  state.caller = caller;
  if (!key.scopes.includes(scope)) {
    throw new AppError("forbidden", `This API key does not have the scope ${scope}.`, { facts: { scope } });
  }
  return caller;
}
