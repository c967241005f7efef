import { and, eq, isNull, type SQL, sql } from "drizzle-orm";
import type { HostId } from "#contract/ids";
import { auditStatement, type By } from "../audit/store.ts";
import type { Position } from "../cursor.ts";
import type { Db } from "../db/client.ts";
import { cutPage, newestFirst, older } from "../db/page.ts";
import { runBatch, type Statement } from "../db/rider.ts";
import { hosts, sandboxes } from "../db/schema.ts";
import type { HostRow } from "./store.ts";

// What operators read and do: it reaches over all tenants, so these functions take none.

type Change = { by: By; nowMs: number };
type PagePlace = { limit: number; after: Position | undefined };
export type CountedHost = HostRow & { sandboxes: number };

const isThere = isNull(hosts.removedAtMs);
const columns = {
  row: hosts,
  sandboxes: sql<number>`(SELECT count(*) FROM sandboxes WHERE host_id = hosts.id AND ended_at_ms IS NULL)`,
};
const toRow = ({ row, sandboxes }: { row: HostRow; sandboxes: number }): CountedHost => ({
  ...row,
  sandboxes,
});

export async function listHostRows(db: Db, page: PagePlace) {
  const rows = await db
    .select(columns)
    .from(hosts)
    .where(and(isThere, older(hosts, page.after)))
    .orderBy(...newestFirst(hosts))
    .limit(page.limit + 1);
  return cutPage(rows.map(toRow), page.limit);
}

/** A host that was not removed. */
export async function findCountedHost(db: Db, id: HostId): Promise<CountedHost | undefined> {
  const rows = await db
    .select(columns)
    .from(hosts)
    .where(and(eq(hosts.id, id), isThere));
  return rows.map(toRow)[0];
}

/** What has not ended there. */
export async function listSandboxesOfHost(db: Db, id: HostId, page: PagePlace) {
  const rows = await db
    .select()
    .from(sandboxes)
    .where(and(eq(sandboxes.hostId, id), isNull(sandboxes.endedAtMs), older(sandboxes, page.after)))
    .orderBy(...newestFirst(sandboxes))
    .limit(page.limit + 1);
  return cutPage(rows, page.limit);
}

export async function setDrain(db: Db, id: HostId, isWanted: boolean, { by, nowMs }: Change): Promise<void> {
  await runBatch(db, [
    isWanted
      ? db.run(sql`
          UPDATE hosts SET drain_requested_at_ms = ${nowMs}
          WHERE id = ${id} AND removed_at_ms IS NULL AND drain_requested_at_ms IS NULL`)
      : db.run(sql`
          UPDATE hosts SET drain_requested_at_ms = NULL
          WHERE id = ${id} AND removed_at_ms IS NULL AND drain_requested_at_ms IS NOT NULL`),
    noteOf(db, id, isWanted ? "host.drained" : "host.undrained", { by, nowMs }),
  ]);
}

/** Removes a host on which nothing is left. Whether it was removed. */
export async function removeEmptyHost(db: Db, id: HostId, change: Change): Promise<boolean> {
  const isEmpty = sql`NOT EXISTS (SELECT 1 FROM sandboxes WHERE host_id = ${id} AND ended_at_ms IS NULL)`;
  const [removed] = await runBatch(db, [
    removal(db, id, change, isEmpty),
    noteOf(db, id, "host.removed", change),
  ]);
  return removed === 1;
}

/**
 * Removes a host that is dead, ends what was there and gives its slots back: all of it in one batch. How many sandboxes
 * were ended; `undefined` = there is no such host.
 */
export async function removeDeadHost(db: Db, id: HostId, change: Change): Promise<number | undefined> {
  const { nowMs } = change;
  const isRemoved = sql`EXISTS (SELECT 1 FROM hosts WHERE hosts.id = ${id} AND removed_at_ms IS NOT NULL)`;
  const [removed, _noted, ended] = await runBatch(db, [
    removal(db, id, change, sql`TRUE`),
    noteOf(db, id, "host.removed", change, { confirmedDead: true }),
    // What its tenant has ended already was ended for that reason.
    db.run(sql`
      UPDATE sandboxes SET state = 'ended', ended_at_ms = ${nowMs}, end_reason = coalesce(end_reason, 'host_lost')
      WHERE host_id = ${id} AND ended_at_ms IS NULL AND ${isRemoved}`),
    db.run(sql`
      UPDATE reservations SET released_at_ms = ${nowMs}
      WHERE released_at_ms IS NULL AND ${isRemoved} AND sandbox_id IN (
        SELECT id FROM sandboxes WHERE host_id = ${id} AND ended_at_ms = ${nowMs})`),
  ]);
  return removed === 1 ? (ended ?? 0) : undefined;
}

const removal = (db: Db, id: HostId, { nowMs }: Change, condition: SQL): Statement =>
  db.run(sql`
    UPDATE hosts SET removed_at_ms = ${nowMs} WHERE id = ${id} AND removed_at_ms IS NULL AND ${condition}`);

function noteOf(
  db: Db,
  id: HostId,
  action: `host.${string}`,
  { by, nowMs }: Change,
  details: Record<string, boolean> = {},
): Statement {
  return auditStatement(db, { ...by, tenantId: null, atMs: nowMs, action, subject: id, details });
}
