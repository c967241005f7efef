import type { HostId } from "#contract/ids";
import type { OperatorHost } from "#contract/operator-host";
import { byOperator } from "../audit/store.ts";
import type { Clock, RequestCtx } from "../context.ts";
import type { Db } from "../db/client.ts";
import { notFound } from "../errors.ts";
import type { Directory } from "./directory.ts";
import { findCountedHost, setDrain } from "./operator-store.ts";
import { toHost } from "./view.ts";

type Deps = { db: Db; directory: Directory; now: Clock };

/**
 * Keeps new sandboxes off a host, or lets them on again: here at once, elsewhere with the host's next heartbeat. What
 * is there goes on.
 * @throws AppError `host_not_found`
 */
export async function drainHost(
  deps: Deps,
  ctx: RequestCtx,
  id: HostId,
  isWanted: boolean,
): Promise<OperatorHost> {
  const nowMs = deps.now();
  await setDrain(deps.db, id, isWanted, { by: byOperator(ctx), nowMs });
  const row = await findCountedHost(deps.db, id);
  if (!row) throw notFound("hosts");
  deps.directory.noteHost(row);
  return toHost(row, nowMs);
}
