import type { HostId } from "#contract/ids";
import type { RemovedHost } from "#contract/operator-host";
import { byOperator } from "../audit/store.ts";
import type { Clock, RequestCtx } from "../context.ts";
import type { Db } from "../db/client.ts";
import { AppError, notFound } from "../errors.ts";
import type { Directory } from "./directory.ts";
import { findCountedHost, removeDeadHost, removeEmptyHost } from "./operator-store.ts";

type Deps = { db: Db; directory: Directory; now: Clock };

/**
 * Takes a host off the list. Its heartbeats are refused from then on, and its code begins no other host's ids.
 * @param isDead the operator's word that nothing runs there any more: what was there has ended, and its slots are free
 * @throws AppError `host_not_found`, `conflict` while there are sandboxes on one that is not said to be dead
 */
export async function removeHost(
  deps: Deps,
  ctx: RequestCtx,
  id: HostId,
  isDead: boolean,
): Promise<RemovedHost> {
  const change = { by: byOperator(ctx), nowMs: deps.now() };
  const ended = isDead
    ? await removeDeadHost(deps.db, id, change)
    : (await removeEmptyHost(deps.db, id, change))
      ? 0
      : undefined;
  if (ended === undefined) throw await refusal(deps.db, id);
  deps.directory.forgetHost(id);
  return { id, endedSandboxes: ended };
}

async function refusal(db: Db, id: HostId): Promise<AppError> {
  const row = await findCountedHost(db, id);
  if (!row) return notFound("hosts");
  const { sandboxes } = row;
  return new AppError(
    "conflict",
    "There are sandboxes on this host. Drain it and wait for their end, or confirm that the machine is dead.",
    { facts: { sandboxes } },
  );
}
