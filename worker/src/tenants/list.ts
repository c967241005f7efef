import { limits } from "#contract/limits";
import type { ListTenants, TenantPage } from "#contract/tenant";
import type { LazyKey } from "../crypto.ts";
import { type CursorOf, fromCursor, toCursor } from "../cursor.ts";
import type { Db } from "../db/client.ts";
import { listTenantRows } from "./store.ts";
import { toTenant } from "./view.ts";

type Deps = { db: Db; cursorKey: LazyKey; tenantGraceMs: number };
const of: CursorOf = { tenantId: "operator", list: "tenants" };

/** One page of all tenants, newest first. @throws AppError `invalid_request` for a cursor that no page gave */
export async function listTenants(deps: Deps, query: ListTenants): Promise<TenantPage> {
  const { limit = limits.pageDefaultItems, cursor, ...filters } = query;
  const after = cursor === undefined ? undefined : await fromCursor(deps.cursorKey, of, cursor);
  const { rows, next } = await listTenantRows(deps.db, { ...filters, limit, after });
  return {
    items: rows.map((row) => toTenant(deps, row)),
    ...(next && { nextCursor: await toCursor(deps.cursorKey, of, next) }),
  };
}
