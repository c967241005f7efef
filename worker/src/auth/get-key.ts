import type { KeyId } from "#contract/ids";
import type { Key } from "#contract/key";
import type { Ctx } from "../context.ts";
import type { Db } from "../db/client.ts";
import { notFound } from "../errors.ts";
import { findKey } from "./keys-store.ts";
import { toKey } from "./view.ts";

/** @throws AppError `key_not_found`, for another tenant's id as for an unknown one */
export async function getKey(deps: { db: Db }, ctx: Ctx, id: KeyId): Promise<Key> {
  const row = await findKey(deps.db, ctx.tenantId, id);
  if (!row) throw notFound("keys");
  return toKey(row);
}
