import type { Heartbeat } from "#contract/host";
import type { Clock } from "../context.ts";
import type { Db } from "../db/client.ts";
import { AppError } from "../errors.ts";
import type { Directory } from "./directory.ts";
import { findHost, type HostRow, recordHeartbeatRow } from "./store.ts";

type Deps = { db: Db; directory: Directory; now: Clock };

/**
 * Notes what a host said of itself. Each one must be signed later than the last, so a copy of it is refused.
 * @throws AppError `forbidden` for a host that is not registered or was removed, `conflict` for a replay.
 */
export async function recordHeartbeat(
  deps: Deps,
  signed: { hostId: string; createdMs: number },
  heartbeat: Heartbeat,
): Promise<HostRow> {
  if (signed.hostId !== heartbeat.hostId) {
    throw new AppError("forbidden", "A host may only speak for itself.");
  }
  const times = { signedAtMs: signed.createdMs, nowMs: deps.now() };
  const row = await recordHeartbeatRow(deps.db, heartbeat, times);
  if (row) {
    deps.directory.noteHost(row);
    return row;
  }
  const known = await findHost(deps.db, heartbeat.hostId);
  if (!known || known.removedAtMs !== null || known.code !== heartbeat.code) {
    throw new AppError("forbidden", "This host is not registered here; register it again.");
  }
  throw new AppError("conflict", "A heartbeat signed at the same time or later was accepted already.");
}
