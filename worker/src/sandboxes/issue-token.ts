import type { SandboxId } from "#contract/ids";
import { type CreateToken, type SandboxToken, tokenScopes } from "#contract/token";
import type { Keyring } from "../auth/keyring.ts";
import { makeToken } from "../auth/sandbox-token.ts";
import type { Clock, Ctx } from "../context.ts";
import type { Db } from "../db/client.ts";
import { AppError, sandboxNotFound } from "../errors.ts";
import { sandboxEnded } from "./on-host.ts";
import { findSandbox, type SandboxRow } from "./store.ts";
import { noteToken } from "./token-store.ts";

type Deps = { db: Db; keyring: Keyring; now: Clock };

/**
 * Makes a token that may act on one sandbox: for whoever must not have the key. It carries some of the key's scopes,
 * ends with the sandbox's lifetime or the key, and is kept nowhere; that it was made is noted.
 * @throws AppError `sandbox_not_found`, `sandbox_ended`, `forbidden` for a scope that the key does not have
 */
export async function issueToken(
  deps: Deps,
  ctx: Ctx,
  id: SandboxId,
  wanted: CreateToken,
): Promise<SandboxToken> {
  const scopes = tokenScopes.filter((scope) =>
    wanted.scopes === undefined ? ctx.scopes.includes(scope) : wanted.scopes.includes(scope),
  );
  const missing = scopes.find((scope) => !ctx.scopes.includes(scope));
  if (missing !== undefined) {
    throw new AppError("forbidden", `This API key does not have the scope ${missing}.`, {
      facts: { scope: missing },
    });
  }
  const row = await findSandbox(deps.db, ctx.tenantId, id);
  if (!row) throw sandboxNotFound();
  const expiresAtMs = expiryOf(ctx, row, wanted, deps.now());
  const by = { actor: `key:${ctx.keyId}` as const, requestId: ctx.requestId };
  const note = { sandboxId: id, scopes, expiresAtMs, nowMs: deps.now(), by };
  if (!(await noteToken(deps.db, ctx.tenantId, note))) throw sandboxEnded(row.endReason);
  const { tenantId, keyId } = ctx;
  const claims = { sandboxId: id, tenantId, keyId, scopes, expiresAtMs };
  return {
    token: await makeToken(await deps.keyring.tokenSecret(), claims),
    sandboxId: id,
    scopes,
    expiresAt: new Date(expiresAtMs).toISOString(),
  };
}

/** Whole seconds, as a token has them. */
function expiryOf(ctx: Ctx, row: SandboxRow, { expiresInSeconds }: CreateToken, nowMs: number): number {
  const wantedMs = expiresInSeconds === undefined ? row.expiresAtMs : nowMs + expiresInSeconds * 1000;
  const keyEndsMs = ctx.restrictions.expiresAtMs ?? Number.POSITIVE_INFINITY;
  return Math.floor(Math.min(wantedMs, row.expiresAtMs, keyEndsMs) / 1000) * 1000;
}
