import type { Ctx } from "../context.ts";
import { AppError } from "../errors.ts";
import { type AuthDeps, checkStanding, loadMaker } from "./authenticate.ts";

type Caller = Pick<Ctx, "tenantId" | "keyId" | "restrictions">;

/**
 * Whether a caller that was let in would be let in still: the refusal, or `null`. One read in 5 s for each key. While
 * nobody can say, because the database is away, it goes on.
 */
export async function recheck(deps: AuthDeps, caller: Caller): Promise<AppError | null> {
  const nowMs = deps.now();
  const { tenantId, keyId, restrictions } = caller;
  try {
    checkStanding({ expiresAtMs: restrictions.expiresAtMs, suspendedAtMs: null }, nowMs);
    const key = deps.keyring.makers.get(keyId, nowMs) ?? (await loadMaker(deps, { tenantId, keyId }, nowMs));
    checkStanding(key, nowMs);
    return null;
  } catch (error) {
    const isRefusal =
      error instanceof AppError && (error.code === "unauthenticated" || error.code === "forbidden");
    return isRefusal ? error : null;
  }
}
