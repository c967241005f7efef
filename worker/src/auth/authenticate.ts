import type { Clock, RequestCtx } from "../context.ts";
import { sha256Hex } from "../crypto.ts";
import type { Db } from "../db/client.ts";
import { AppError } from "../errors.ts";
import { isOurKey } from "./key-format.ts";
import type { Keyring } from "./keyring.ts";
import { type FoundKey, findKeyByHash, noteKeyUsed } from "./store.ts";

type Deps = { db: Db; keyring: Keyring; now: Clock };

const lastUsedGrainMs = 60_000;

/**
 * Whose key a request carries. No network hop while the key is in the isolate's cache, none for a made-up one.
 * @throws AppError `unauthenticated` for anything but one valid key, `forbidden` for a suspended tenant.
 */
export async function authenticate(deps: Deps, ctx: RequestCtx, headers: Headers): Promise<FoundKey> {
  const key = presentedKey(headers);
  const nowMs = deps.now();
  const cached = deps.keyring.known.get(key, nowMs);
  const found = cached ?? (await load(deps, key, nowMs));
  if (found.expiresAtMs !== null && found.expiresAtMs <= nowMs) throw unauthenticated();
  if (found.suspendedAtMs !== null) throw new AppError("forbidden", "This tenant is suspended.");
  if (!cached) noteUse(deps, ctx, found, nowMs);
  return found;
}

async function load(deps: Deps, key: string, nowMs: number): Promise<FoundKey> {
  if (deps.keyring.refused.get(key, nowMs)) throw unauthenticated();
  if (!(await isOurKey(await deps.keyring.secret(), key))) throw unauthenticated();
  const found = await findKeyByHash(deps.db, await sha256Hex(key));
  if (!found || found.revokedAtMs !== null || (found.expiresAtMs !== null && found.expiresAtMs <= nowMs)) {
    deps.keyring.refused.set(key, true, nowMs);
    throw unauthenticated();
  }
  deps.keyring.known.set(key, found, nowMs);
  return found;
}

/** Once a minute at most, and never in the way of the answer. */
function noteUse(deps: Deps, ctx: RequestCtx, found: FoundKey, nowMs: number): void {
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
