import { and, eq, isNull, lt, or } from "drizzle-orm";
import type { Heartbeat } from "#contract/host";
import type { HostCode, HostId } from "#contract/ids";
import type { Db } from "../db/client.ts";
import { hosts } from "../db/schema.ts";

// Hosts belong to the operator: no tenant owns them, so these functions take none.

export type HostRow = typeof hosts.$inferSelect;

/** Of its own accord, as it stops, or by its operator's wish. */
export const isHostDraining = (row: HostRow) => row.isDraining || row.drainRequestedAtMs !== null;

/** More hosts than this need a directory that is not read whole. */
const hostsMax = 10_000;

/** Whether the row is new; a code that was ever used changes nothing. */
export async function insertHost(db: Db, host: { id: HostId; code: HostCode; createdAtMs: number }) {
  const rows = await db
    .insert(hosts)
    .values(host)
    .onConflictDoNothing({ target: hosts.code })
    .returning({ id: hosts.id });
  return rows.length === 1;
}

export async function listHosts(db: Db): Promise<HostRow[]> {
  return db.select().from(hosts).where(isNull(hosts.removedAtMs)).limit(hostsMax);
}

export async function findHost(db: Db, hostId: HostId): Promise<HostRow | undefined> {
  const rows = await db.select().from(hosts).where(eq(hosts.id, hostId));
  return rows[0];
}

/** The row as the heartbeat left it; `undefined` when the host is not ours or has said something later already. */
export async function recordHeartbeatRow(
  db: Db,
  heartbeat: Heartbeat,
  times: { signedAtMs: number; nowMs: number },
): Promise<HostRow | undefined> {
  const rows = await db
    .update(hosts)
    .set({
      url: heartbeat.url,
      isDraining: heartbeat.isDraining,
      cores: heartbeat.cores,
      freeMemoryMiB: heartbeat.freeMemoryMiB,
      pools: heartbeat.pools,
      heartbeatAtMs: times.nowMs,
      heartbeatSignedAtMs: times.signedAtMs,
    })
    .where(
      and(
        eq(hosts.id, heartbeat.hostId),
        eq(hosts.code, heartbeat.code),
        isNull(hosts.removedAtMs),
        or(isNull(hosts.heartbeatSignedAtMs), lt(hosts.heartbeatSignedAtMs, times.signedAtMs)),
      ),
    )
    .returning();
  return rows[0];
}
