import type { ApiRow } from "#contract/api";
import { authenticate } from "../auth/authenticate.ts";
import type { Keyring } from "../auth/keyring.ts";
import type { Clock, Ctx } from "../context.ts";
import type { Db } from "../db/client.ts";
import { AppError, sandboxNotFound } from "../errors.ts";
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
  const { tenantId, id: keyId, scopes, sandboxId, limits } = key;
  const { templates, expiresAtMs, monthlyCapMicros, rate } = key;
  const restrictions = { templates, expiresAtMs, monthlyCapMicros, rate };
  // Not spread: that costs more than the rest of this function, on every request.
  const caller: Ctx = {
    requestId,
    signal,
    background,
    note,
    tenantId,
    keyId,
    scopes,
    restrictions,
    sandboxId,
    limits,
  };
  state.caller = caller;
  if (key.sandboxId !== null) state.facts.isByToken = true;
  await limitRate(deps, state, key, row);
  const { scope } = row;
  if (!key.scopes.some((granted) => granted === scope)) {
    const facts = { scope: String(scope) };
    throw new AppError("forbidden", `This API key does not have the scope ${scope}.`, { facts });
  }
  return caller;
}

/**
 * Keeps a sandbox's token to its sandbox. To it, every other one is unknown.
 * @param id the sandbox's, where the row is about one
 * @throws AppError `forbidden`, `sandbox_not_found`
 */
export function confine(caller: Ctx, row: Pick<ApiRow, "isForKeysOnly">, id: string | undefined): void {
  if (caller.sandboxId === null) return;
  if (id === undefined || row.isForKeysOnly) {
    throw new AppError("forbidden", "The token of a sandbox may not do this; it takes an API key.");
  }
  if (id !== caller.sandboxId) throw sandboxNotFound();
}
