import { limits } from "#contract/limits";
import type { ListSandboxes, SandboxPage } from "#contract/sandbox";
import type { Ctx } from "../context.ts";
import type { LazyKey } from "../crypto.ts";
import { type CursorOf, fromCursor, toCursor } from "../cursor.ts";
import type { Db } from "../db/client.ts";
import type { Catalog } from "../templates/catalog.ts";
import { listSandboxRows } from "./list-store.ts";
import { toSandbox } from "./view.ts";

type Deps = { db: Db; catalog: Catalog; cursorKey: LazyKey };

/**
 * One page of the tenant's sandboxes, newest first; what is created while paging appears on no later page.
 * @throws AppError `invalid_request` for a cursor that no page gave, `template_not_found`
 */
export async function listSandboxes(deps: Deps, ctx: Ctx, query: ListSandboxes): Promise<SandboxPage> {
  const of: CursorOf = { tenantId: ctx.tenantId, list: "sandboxes" };
  const { limit = limits.pageDefaultItems, cursor, template, ...filters } = query;
  const { rows, next } = await listSandboxRows(deps.db, ctx.tenantId, {
    ...filters,
    limit,
    after: cursor === undefined ? undefined : await fromCursor(deps.cursorKey, of, cursor),
    template: template === undefined ? undefined : (await deps.catalog.resolve(template)).name,
  });
  return {
    items: rows.map(toSandbox),
    ...(next && { nextCursor: await toCursor(deps.cursorKey, of, next) }),
  };
}
