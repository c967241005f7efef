import type { SandboxId } from "#contract/ids";
import { type TokenClaims, tokenPrefix } from "#contract/token";
import type { Clock, RequestCtx } from "../context.ts";
import { sha256Hex } from "../crypto.ts";
import type { Db } from "../db/client.ts";
import { AppError } from "../errors.ts";
import { isOurKey } from "./key-format.ts";
import type { KeyHolder, Keyring } from "./keyring.ts";
import { claimsOf } from "./sandbox-token.ts";
import { type FoundKey, findKeyByHash, findKeyById, noteKeyUsed } from "./store.ts";

export type AuthDeps = { db: Db; keyring: Keyring; now: Clock };
/** A key, or what of its rights a sandbox's token carries, and until when. */
export type Caller = FoundKey & { sandboxId: SandboxId | null };

const lastUsedGrainMs = 60_000;

/**
 * Whose key or token a request carries. No network hop while the key is in the isolate's cache, none for a made-up one.
 * @throws AppError `unauthenticated` for anything but one valid key or token, `forbidden` for a suspended tenant.
 */
export async function authenticate(deps: AuthDeps, ctx: RequestCtx, headers: Headers): Promise<Caller> {
  const presented = presentedKey(headers);
  const nowMs = deps.now();
  if (presented.startsWith(tokenPrefix)) return byToken(deps, ctx, presented, nowMs);
  const cached = deps.keyring.known.get(presented, nowMs);
  const found = cached ?? (await load(deps, presented, nowMs));
  checkStanding(found, nowMs);
  if (!cached) noteUse(deps, ctx, found, nowMs);
  return found;
}

/** A token counts as long as the key that it was made with; what that key has lost since, the token has lost too. */
async function byToken(deps: AuthDeps, ctx: RequestCtx, token: string, nowMs: number): Promise<Caller> {
  const claims = await claimsOf(await deps.keyring.tokenSecret(), token);
  if (!claims || claims.expiresAtMs <= nowMs) throw unauthenticated();
  const cached = deps.keyring.makers.get(claims.keyId, nowMs);
  const key = cached ?? (await loadMaker(deps, claims, nowMs));
  checkStanding(key, nowMs);
  if (!cached) noteUse(deps, ctx, key, nowMs);
  const scopes = claims.scopes.filter((scope) => key.scopes.includes(scope));
  const expiresAtMs = Math.min(claims.expiresAtMs, key.expiresAtMs ?? claims.expiresAtMs);
  return { ...key, scopes, expiresAtMs, sandboxId: claims.sandboxId };
}

/** @throws AppError `unauthenticated`, `forbidden` */
export function checkStanding(found: Pick<FoundKey, "expiresAtMs" | "suspendedAtMs">, nowMs: number): void {
  if (found.expiresAtMs !== null && found.expiresAtMs <= nowMs) throw unauthenticated();
  if (found.suspendedAtMs !== null) {
    throw new AppError("forbidden", "This tenant is suspended. Ask the operator of this service.");
  }
}

async function load(deps: AuthDeps, key: string, nowMs: number): Promise<KeyHolder> {
  if (deps.keyring.refused.get(key, nowMs)) throw unauthenticated();
  if (!(await isOurKey(await deps.keyring.secret(), key))) throw unauthenticated();
  const found = await findKeyByHash(deps.db, await sha256Hex(key));
  if (!found || isOver(found, nowMs)) {
    deps.keyring.refused.set(key, true, nowMs);
    throw unauthenticated();
  }
  const holder: KeyHolder = { ...found, sandboxId: null };
  deps.keyring.known.set(key, holder, nowMs);
  return holder;
}

/** A key by its id, which is then known for a while. @throws AppError `unauthenticated` for one that is over */
export async function loadMaker(
  deps: AuthDeps,
  { tenantId, keyId }: Pick<TokenClaims, "tenantId" | "keyId">,
  nowMs: number,
): Promise<FoundKey> {
  if (deps.keyring.refusedMakers.get(keyId, nowMs)) throw unauthenticated();
  const found = await findKeyById(deps.db, tenantId, keyId);
  if (!found || isOver(found, nowMs)) {
    deps.keyring.refusedMakers.set(keyId, true, nowMs);
    throw unauthenticated();
  }
  deps.keyring.makers.set(keyId, found, nowMs);
  return found;
}

const isOver = ({ revokedAtMs, expiresAtMs }: FoundKey, nowMs: number) =>
  revokedAtMs !== null || (expiresAtMs !== null && expiresAtMs <= nowMs);

/** Once a minute at most, and never in the way of the answer. */
function noteUse(deps: AuthDeps, ctx: RequestCtx, found: FoundKey, nowMs: number): void {
  if (found.lastUsedAtMs !== null && nowMs - found.lastUsedAtMs < lastUsedGrainMs) return;
  ctx.background("noteKeyUsed", noteKeyUsed(deps.db, found.tenantId, found.id, nowMs));
}

/** The one key of a request. Two that differ, or a header sent twice, could mean different things to two readers. */
function presentedKey(headers: Headers): string {
  const authorization = headers.get("authorization");
  const apiKey = headers.get("x-api-key");
  if (authorization === null && apiKey === null) throw unauthenticated();
  const bearer = authorization === null ? null : (/^bearer ([^\s,]{1,128})$/i.exec(authorization)?.[1] ?? "");
  if (bearer !== null && apiKey !== null && bearer !== apiKey) throw unauthenticated();
  const key = bearer ?? apiKey ?? "";
  if (key === "" || key.length > 128) throw unauthenticated();
  return key;
}

function unauthenticated(): AppError {
  return new AppError("unauthenticated", "Send one valid API key as a bearer token or as X-API-Key.");
}
