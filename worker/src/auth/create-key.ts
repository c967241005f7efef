import { api } from "#contract/api";
import type { TenantId } from "#contract/ids";
import type { CreateKey, NewKey } from "#contract/key";
import { limits } from "#contract/limits";
import { type By, byOperator } from "../audit/store.ts";
import type { Ctx, RequestCtx } from "../context.ts";
import type { Db } from "../db/client.ts";
import { AppError } from "../errors.ts";
import type { Made } from "../idempotency/once.ts";
import { refuseRepetition, secretRecord } from "../idempotency/once-secret.ts";
import type { Catalog } from "../templates/catalog.ts";
import { draftKey, type KeyDeps } from "./draft-key.ts";
import { type Grantor, restrict } from "./grant.ts";
import { countKeys, insertKey, type Maker } from "./keys-store.ts";
import { toKey } from "./view.ts";

type Deps = KeyDeps & Parameters<typeof secretRecord>[0] & { db: Db; catalog: Catalog };
type Asked = Parameters<typeof secretRecord>[2];
type Making = { tenantId: TenantId; grantor: Grantor; by: By; maker: Maker };

/**
 * Makes a key with the rights of another, or fewer.
 * @throws AppError `forbidden` where it would be wider, `template_not_found`, `quota_exceeded`, `already_created`
 */
export function createKey(deps: Deps, ctx: Ctx, wanted: CreateKey, asked: Asked): Promise<Made<NewKey>> {
  const { tenantId, keyId, requestId } = ctx;
  // Each key has its cap and its bucket to itself: two would spend and ask twice of what one may.
  if (ctx.restrictions.monthlyCapMicros !== null || ctx.restrictions.rate !== null) {
    throw new AppError("forbidden", "A key that has a budget or a rate of its own cannot make keys.");
  }
  const by: By = { actor: `key:${keyId}`, requestId };
  return make(deps, { tenantId, grantor: ctx, by, maker: keyId }, wanted, asked);
}

/** The same for an operator, who may hand out anything. The tenant is known to be there. */
export function createTenantKey(
  deps: Deps,
  ctx: RequestCtx,
  { tenantId, ...wanted }: CreateKey & { tenantId: TenantId },
  asked: Asked,
): Promise<Made<NewKey>> {
  const all = { templates: null, expiresAtMs: null };
  const grantor: Grantor = { scopes: wanted.scopes, restrictions: all };
  return make(deps, { tenantId, grantor, by: byOperator(ctx), maker: "operator" }, wanted, asked);
}

async function make(deps: Deps, making: Making, wanted: CreateKey, asked: Asked): Promise<Made<NewKey>> {
  const { tenantId, grantor, by, maker } = making;
  const record = await secretRecord(deps, tenantId, asked);
  const nowMs = deps.now();
  const named = await ownNames(deps.catalog, wanted);
  const decided = restrict(grantor, named, nowMs);
  if ("issues" in decided) {
    throw new AppError("forbidden", "A key cannot get what the key of this request does not have.", decided);
  }
  const { expiresAtMs } = decided.restrictions;
  if (expiresAtMs !== null && expiresAtMs <= nowMs) {
    const issues = [{ path: "expiresAt", message: "must lie in the future" }];
    throw new AppError("invalid_request", "The key would have expired already.", { issues });
  }
  const { key, row } = await draftKey(deps, { ...named, ...decided.restrictions });
  if (!(await insertKey(deps.db, tenantId, { row, by, maker, record }))) {
    await refuseRepetition(deps, record);
    throw await refusal(deps.db, tenantId);
  }
  const result = { ...toKey({ ...row, tenantId, revokedAtMs: null, lastUsedAtMs: null }), key };
  return { status: api.createKey.status, result, isReplayed: false };
}

/** An alias may lead to another template tomorrow; a key is restricted to what it leads to today. */
async function ownNames(catalog: Catalog, wanted: CreateKey): Promise<CreateKey> {
  const { templates, ...rest } = wanted;
  if (!templates) return rest;
  const names = new Set<string>();
  for (const name of templates) names.add((await catalog.resolve(name)).name);
  return { ...rest, templates: [...names] };
}

async function refusal(db: Db, tenantId: TenantId): Promise<AppError> {
  const used = await countKeys(db, tenantId);
  const limit = limits.keysMax;
  if (used >= limit) {
    return new AppError("quota_exceeded", `This tenant may have ${limit} keys. Revoke one.`, {
      facts: { limit, used },
    });
  }
  return new AppError("conflict", "The key of this request, or its tenant, was stopped in the meantime.");
}
