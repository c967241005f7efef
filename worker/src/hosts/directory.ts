import type { PoolState } from "#contract/host";
import type { HostCode, HostId } from "#contract/ids";
import { limits } from "#contract/limits";
import type { Clock, RequestCtx } from "../context.ts";
import type { Db } from "../db/client.ts";
import { type HostRow, isHostDraining, listHosts } from "./store.ts";

export type Host = {
  id: HostId;
  code: HostCode;
  url: string;
  isDraining: boolean;
  cores: number;
  freeMemoryMiB: number;
  pools: PoolState[];
  heartbeatAtMs: number;
};

/** What this isolate knows of the hosts. */
export type Directory = {
  /** The host that owns ids with this code: from memory on the hot path, refreshed behind it. */
  byCode: (ctx: Pick<RequestCtx, "background">, code: HostCode) => Promise<Host | undefined>;
  /** Hosts that may get new work: heard lately, and not draining. */
  placeable: () => Promise<Host[]>;
  noteHost: (row: HostRow) => void;
  forgetHost: (id: HostId) => void;
  /** Counts a placement before the next heartbeat tells of it, so that isolates do not herd onto the emptiest host. */
  notePlaced: (code: HostCode, placed: { template: string; memoryMiB: number }) => void;
};

const freshMs = 2_000;
/** Older knowledge than this is not served even while the database is being asked. */
const staleMaxMs = 60_000;
/** Ids are made up freely, so unknown codes together cost one read per this time. */
const missGrainMs = 1_000;

export function makeDirectory(deps: { db: Db; now: Clock }): Directory {
  const hosts = new Map<HostCode, Host>();
  let loadedAtMs = Number.NEGATIVE_INFINITY;
  let refreshClaimedAtMs = Number.NEGATIVE_INFINITY;
  let missClaimedAtMs = Number.NEGATIVE_INFINITY;

  async function load(): Promise<void> {
    const startedAtMs = deps.now();
    const rows = await listHosts(deps.db);
    const codes = new Set(rows.map((row) => row.code));
    for (const code of hosts.keys()) if (!codes.has(code)) hosts.delete(code);
    for (const row of rows) {
      // The same heartbeat again must not undo what was counted since, nor an older one what a newer one said.
      const known = hosts.get(row.code);
      if (!known || known.heartbeatAtMs < (row.heartbeatAtMs ?? 0)) note(row);
    }
    loadedAtMs = startedAtMs;
  }
  function note(row: HostRow): void {
    if (row.url === null || row.heartbeatAtMs === null) return;
    const { id, code, url, cores, freeMemoryMiB, heartbeatAtMs } = row;
    const isDraining = isHostDraining(row);
    const pools = row.pools.map((pool) => ({ ...pool }));
    hosts.set(code, { id, code, url, isDraining, cores, freeMemoryMiB, pools, heartbeatAtMs });
  }

  return {
    async byCode(ctx, code) {
      const nowMs = deps.now();
      const ageMs = nowMs - loadedAtMs;
      if (ageMs > staleMaxMs) {
        await load();
      } else if (ageMs > freshMs && nowMs - refreshClaimedAtMs > freshMs) {
        refreshClaimedAtMs = nowMs;
        ctx.background("refreshHosts", load());
      }
      const host = hosts.get(code);
      if (host || ageMs > staleMaxMs || nowMs - missClaimedAtMs < missGrainMs) return host;
      missClaimedAtMs = nowMs;
      await load();
      return hosts.get(code);
    },
    async placeable() {
      const nowMs = deps.now();
      const ageMs = nowMs - loadedAtMs;
      // One of many callers asks, and the others go by what is known; were that much older, hosts would seem silent.
      if (ageMs > 2 * freshMs || (ageMs > freshMs && nowMs - refreshClaimedAtMs > freshMs)) {
        refreshClaimedAtMs = nowMs;
        await load();
      }
      const heardSinceMs = deps.now() - limits.hostSilentMs;
      return [...hosts.values()].filter((host) => !host.isDraining && host.heartbeatAtMs > heardSinceMs);
    },
    noteHost: note,
    forgetHost(id) {
      for (const [code, host] of hosts) if (host.id === id) hosts.delete(code);
    },
    notePlaced(code, placed) {
      const host = hosts.get(code);
      if (!host) return;
      host.freeMemoryMiB -= placed.memoryMiB;
      const pool = host.pools.find((entry) => entry.template === placed.template);
      if (pool && pool.available > 0) pool.available -= 1;
    },
  };
}
