import { limits } from "#contract/limits";
import type { OperatorHost } from "#contract/operator-host";
import type { CountedHost } from "./operator-store.ts";
import { isHostDraining } from "./store.ts";

/** A host as its operator sees it. */
export function toHost(row: CountedHost, nowMs: number): OperatorHost {
  return {
    id: row.id,
    code: row.code,
    state: stateOf(row, nowMs),
    isDraining: isHostDraining(row),
    sandboxes: row.sandboxes,
    cores: row.cores,
    freeMemoryMiB: row.freeMemoryMiB,
    pools: row.pools,
    createdAt: new Date(row.createdAtMs).toISOString(),
    ...(row.heartbeatAtMs !== null && { heartbeatAt: new Date(row.heartbeatAtMs).toISOString() }),
  };
}

function stateOf(row: CountedHost, nowMs: number): OperatorHost["state"] {
  if (row.heartbeatAtMs === null) return "new";
  if (nowMs - row.heartbeatAtMs >= limits.hostSilentMs) return "silent";
  return isHostDraining(row) ? "draining" : "up";
}
