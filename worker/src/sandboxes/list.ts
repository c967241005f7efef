import { limits } from "#contract/limits";
import type { ListSandboxes, SandboxPage } from "#contract/sandbox";
import type { Ctx } from "../context.ts";
import type { Db } from "../db/client.ts";
import { fromCursor, toCursor } from "./cursor.ts";
import { listSandboxRows } from "./store.ts";
import { toSandbox } from "./view.ts";

/**
 * One page of the tenant's sandboxes, newest first; what is created while paging appears on no later page.
 * @throws AppError `invalid_request` for a cursor that no page gave
 */
export async function listSandboxes(deps: { db: Db }, ctx: Ctx, query: ListSandboxes): Promise<SandboxPage> {
  const limit = query.limit ?? limits.pageDefaultItems;
  const rows = await listSandboxRows(deps.db, ctx.tenantId, {
    // One more than asked for tells whether there is another page.
    limit: limit + 1,
    ...(query.state && { state: query.state }),
    ...(query.cursor !== undefined && { after: fromCursor(query.cursor) }),
  });
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  return {
    items: items.map(toSandbox),
    ...(rows.length > limit && last && { nextCursor: toCursor(last) }),
  };
}
