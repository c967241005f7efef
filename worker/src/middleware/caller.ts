import type { ApiRow } from "#contract/api";
import { authenticate } from "../auth/authenticate.ts";
import type { Keyring } from "../auth/keyring.ts";
import type { Clock, Ctx } from "../context.ts";
import type { Db } from "../db/client.ts";
import { AppError } from "../errors.ts";
import { limitRate, type RateDeps } from "./rate-limit.ts";
import type { RequestState } from "./state.ts";

type Deps = RateDeps & { db: Db; keyring: Keyring; now: Clock };
type Row = Pick<ApiRow, "scope" | "rateClass" | "tokens">;

/**
 * Who asks, whether it is too soon, and whether the key may do this. No hop while the key is in the isolate's cache, one
 * read when not; at the edge, and for other than data, one more to the tenant's limiter.
 * @throws AppError `unauthenticated`, `rate_limited`, `forbidden`
 */
export async function requireCaller(
  deps: Deps,
  state: RequestState,
  headers: Headers,
  row: Row,
): Promise<Ctx> {
  const key = await authenticate(deps, state.ctx, headers);
  const { requestId, signal, background, note } = state.ctx;
  const { tenantId, id: keyId, scopes, limits } = key;
  const caller: Ctx = {
    requestId,
    ...(signal && { signal }),
    background,
    note,
    tenantId,
    keyId,
    scopes,
    limits,
  };
  state.caller = caller;
  await limitRate(deps, state, key, row);
  const { scope } = row;
  if (scope !== null && !key.scopes.includes(scope)) {
    throw new AppError("forbidden", `This API key does not have the scope ${scope}.`, { facts: { scope } });
  }
  return caller;
}
