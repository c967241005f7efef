import type { TenantId } from "#contract/ids";
import type { KeyPage } from "#contract/key";
import { limits } from "#contract/limits";
import type { PlainPageQuery } from "#contract/page";
import type { LazyKey } from "../crypto.ts";
import { type CursorOf, fromCursor, toCursor } from "../cursor.ts";
import type { Db } from "../db/client.ts";
import { listKeyRows } from "./keys-store.ts";
import { toKey } from "./view.ts";

/**
 * One page of a tenant's keys that are not revoked, newest first.
 * @throws AppError `invalid_request` for a cursor that no page gave
 */
export async function listKeys(
  deps: { db: Db; cursorKey: LazyKey },
  tenantId: TenantId,
  { limit = limits.pageDefaultItems, cursor }: PlainPageQuery,
): Promise<KeyPage> {
  const of: CursorOf = { tenantId, list: "keys" };
  const after = cursor === undefined ? undefined : await fromCursor(deps.cursorKey, of, cursor);
  const { rows, next } = await listKeyRows(deps.db, tenantId, { limit, after });
  return { items: rows.map(toKey), ...(next && { nextCursor: await toCursor(deps.cursorKey, of, next) }) };
}
