import type { HostId } from "#contract/ids";
import { limits } from "#contract/limits";
import type { HostPage, OperatorHost, OperatorSandboxPage } from "#contract/operator-host";
import type { PlainPageQuery } from "#contract/page";
import type { Clock } from "../context.ts";
import type { LazyKey } from "../crypto.ts";
import { type CursorOf, fromCursor, toCursor } from "../cursor.ts";
import type { Db } from "../db/client.ts";
import { notFound } from "../errors.ts";
import { findCountedHost, listHostRows, listSandboxesOfHost } from "./operator-store.ts";
import { toHost } from "./view.ts";

type Deps = { db: Db; cursorKey: LazyKey; now: Clock };

/** One page of the hosts, newest first. @throws AppError `invalid_request` for a cursor that no page gave */
export async function listHostsForOperator(deps: Deps, query: PlainPageQuery): Promise<HostPage> {
  const of: CursorOf = { tenantId: "operator", list: "hosts" };
  const { rows, next } = await listHostRows(deps.db, await placeOf(deps, of, query));
  const nowMs = deps.now();
  return {
    items: rows.map((row) => toHost(row, nowMs)),
    ...(next && { nextCursor: await toCursor(deps.cursorKey, of, next) }),
  };
}

/** @throws AppError `host_not_found` */
export async function getHost(deps: Pick<Deps, "db" | "now">, id: HostId): Promise<OperatorHost> {
  const row = await findCountedHost(deps.db, id);
  if (!row) throw notFound("hosts");
  return toHost(row, deps.now());
}

/** One page of what has not ended on a host, newest first. @throws AppError `host_not_found`, `invalid_request` */
export async function listHostSandboxes(
  deps: Deps,
  id: HostId,
  query: PlainPageQuery,
): Promise<OperatorSandboxPage> {
  await getHost(deps, id);
  const of: CursorOf = { tenantId: "operator", list: "hostSandboxes" };
  const { rows, next } = await listSandboxesOfHost(deps.db, id, await placeOf(deps, of, query));
  return {
    items: rows.map((row) => ({
      id: row.id,
      tenantId: row.tenantId,
      template: row.template,
      state: row.state,
      cpu: row.cpu,
      memoryMiB: row.memoryMiB,
      createdAt: new Date(row.createdAtMs).toISOString(),
      expiresAt: new Date(row.expiresAtMs).toISOString(),
    })),
    ...(next && { nextCursor: await toCursor(deps.cursorKey, of, next) }),
  };
}

async function placeOf(
  deps: Deps,
  of: CursorOf,
  { limit = limits.pageDefaultItems, cursor }: PlainPageQuery,
) {
  const after = cursor === undefined ? undefined : await fromCursor(deps.cursorKey, of, cursor);
  return { limit, after };
}
