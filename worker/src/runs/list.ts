import { limits } from "#contract/limits";
import type { ListRuns, RunPage } from "#contract/run";
import type { Ctx } from "../context.ts";
import type { LazyKey } from "../crypto.ts";
import { type CursorOf, fromCursor, toCursor } from "../cursor.ts";
import type { Db } from "../db/client.ts";
import type { Catalog } from "../templates/catalog.ts";
import { listRunRows } from "./list-store.ts";
import { toSummary } from "./view.ts";

type Deps = { db: Db; catalog: Catalog; cursorKey: LazyKey };

/**
 * One page of the tenant's runs, newest first, without what they printed.
 * @throws AppError `invalid_request` for a cursor that no page gave, `template_not_found`
 */
export async function listRuns(deps: Deps, ctx: Ctx, query: ListRuns): Promise<RunPage> {
  const of: CursorOf = { tenantId: ctx.tenantId, list: "runs" };
  const { limit = limits.pageDefaultItems, cursor, template, ...filters } = query;
  const { rows, next } = await listRunRows(deps.db, ctx.tenantId, {
    ...filters,
    limit,
    after: cursor === undefined ? undefined : await fromCursor(deps.cursorKey, of, cursor),
    template: template === undefined ? undefined : (await deps.catalog.resolve(template)).name,
  });
  return {
    items: rows.map(toSummary),
    ...(next && { nextCursor: await toCursor(deps.cursorKey, of, next) }),
  };
}
