import { and, eq, gt, inArray, isNotNull, isNull, lt, lte, or, type SQL, sql } from "drizzle-orm";
import type { HostId, SandboxId, TenantId } from "#contract/ids";
import { type EndReason, type SandboxState, statesBefore } from "#contract/sandbox";
import type { Db } from "../db/client.ts";
import { rowFinder } from "../db/find-row.ts";
import { type Rider, runBatch, type Statement } from "../db/rider.ts";
import { hosts, sandboxes } from "../db/schema.ts";
import {
  followDeadlineStatement,
  moveReservationStatement,
  releaseEndedStatement,
  reserveStatement,
} from "../quota/store.ts";

export type SandboxRow = typeof sandboxes.$inferSelect;
export type End = { sandboxId: SandboxId; generation: number; reason: EndReason; endedAtMs: number };

const owned = (tenantId: TenantId, id: SandboxId) =>
  and(eq(sandboxes.tenantId, tenantId), eq(sandboxes.id, id));
const mayBecome = (state: SandboxState) => inArray(sandboxes.state, statesBefore(state));

/** Takes a slot and writes the row, with what rides along: all or nothing. Whether there was a slot. */
export async function insertReserved(
  db: Db,
  tenantId: TenantId,
  row: SandboxRow,
  { reservationId, rider }: { reservationId: string; rider?: Rider<SandboxId> | undefined },
): Promise<boolean> {
  const slot = { id: reservationId, sandboxId: row.id, expiresAtMs: row.expiresAtMs };
  const before = rider?.before(row.id) ?? [];
  const changed = await runBatch(db, [
    ...before,
    reserveStatement(db, tenantId, slot, rider?.condition(row.id)),
    db.run(sql`
      INSERT INTO sandboxes (id, tenant_id, host_id, generation, template, state, cpu, memory_mib, pids, disk_mib,
        lifetime_seconds, idle_seconds, metadata, created_at_ms, expires_at_ms,
        public_ports)
      SELECT ${row.id}, ${tenantId}, ${row.hostId}, ${row.generation}, ${row.template}, ${row.state}, ${row.cpu},
        ${row.memoryMiB}, ${row.pids}, ${row.diskMiB}, ${row.lifetimeSeconds}, ${row.idleSeconds}, ${JSON.stringify(row.metadata)},
        ${row.createdAtMs}, ${row.expiresAtMs}, ${row.publicPorts ? 1 : 0}
      WHERE EXISTS (SELECT 1 FROM reservations WHERE id = ${reservationId})`),
    ...(rider?.after(row.id) ?? []),
  ]);
  return changed[before.length + 1] === 1;
}

/** Gives a sandbox that its host has refused another id on another host. Whether it was still being created. */
export async function moveToHost(
  db: Db,
  tenantId: TenantId,
  from: SandboxId,
  to: { id: SandboxId; hostId: HostId; rider?: Rider<SandboxId> | undefined },
): Promise<boolean> {
  const [moved] = await runBatch(db, [
    db.run(sql`
      UPDATE sandboxes SET id = ${to.id}, host_id = ${to.hostId}
      WHERE tenant_id = ${tenantId} AND id = ${from} AND state = 'creating'`),
    moveReservationStatement(db, tenantId, from, to.id),
    ...(to.rider?.moved(from, to.id) ?? []),
  ]);
  return moved === 1;
}

const findOwned = rowFinder(sandboxes, ["tenantId", "id"]);

/** The commonest read. */
export function findSandbox(db: Db, tenantId: TenantId, id: SandboxId): Promise<SandboxRow | undefined> {
  return findOwned(db, { tenantId, id });
}

export async function markRunning(
  db: Db,
  tenantId: TenantId,
  ids: readonly SandboxId[],
  nowMs: number,
): Promise<void> {
  await db
    .update(sandboxes)
    .set({ state: "running", startedAtMs: nowMs })
    .where(and(eq(sandboxes.tenantId, tenantId), inArray(sandboxes.id, [...ids]), mayBecome("running")));
}

/** Its host could not give the disk that was asked for. */
export async function setDisk(
  db: Db,
  tenantId: TenantId,
  id: SandboxId,
  { fromMiB, toMiB }: { fromMiB: number; toMiB: number },
): Promise<void> {
  await db
    .update(sandboxes)
    .set({ diskMiB: toMiB })
    .where(and(owned(tenantId, id), eq(sandboxes.diskMiB, fromMiB)));
}

type Ending =
  | EndReason
  | { reason: EndReason /** Only if its host has not confirmed it. */; isUnstarted: true };

/** The row as it is now `ending`; `undefined` when it was so already, has ended, or is not there. */
export async function markEnding(db: Db, tenantId: TenantId, id: SandboxId, ending: Ending) {
  const { reason, isUnstarted } =
    typeof ending === "string" ? { reason: ending, isUnstarted: false } : ending;
  const rows = await db
    .update(sandboxes)
    .set({ state: "ending", endReason: reason })
    .where(
      and(owned(tenantId, id), mayBecome("ending"), isUnstarted ? isNull(sandboxes.startedAtMs) : undefined),
    )
    .returning();
  return rows[0];
}

/** Condemns the sandboxes whose ids a query gives, as a part of the batch of what they were for. */
export function endingStatement(
  db: Db,
  tenantId: TenantId,
  ending: { reason: EndReason; ofWhich: SQL },
): Statement {
  return db.run(sql`
    UPDATE sandboxes SET state = 'ending', end_reason = ${ending.reason}
    WHERE tenant_id = ${tenantId} AND state IN ${statesBefore("ending")} AND id IN (${ending.ofWhich})`);
}

/** Ends a sandbox of this generation and gives its slot back, both once. */
export async function endSandbox(db: Db, tenantId: TenantId, end: End, nowMs: number): Promise<void> {
  await db.batch(endStatements(db, tenantId, end, nowMs));
}

export function endStatements(db: Db, tenantId: TenantId, end: End, nowMs: number) {
  const update = db
    .update(sandboxes)
    .set({ state: "ended", endReason: end.reason, endedAtMs: end.endedAtMs })
    .where(and(owned(tenantId, end.sandboxId), eq(sandboxes.generation, end.generation), mayBecome("ended")));
  return [update, releaseEndedStatement(db, tenantId, end.sandboxId, nowMs)] as const;
}

export type Change = { lifetimeSeconds?: number; metadata?: Record<string, string> };

/** The changed row; `undefined` when it is not there, not alive, or the new deadline would lie in the past. */
export async function changeSandbox(
  db: Db,
  tenantId: TenantId,
  id: SandboxId,
  change: Change,
  nowMs: number,
): Promise<SandboxRow | undefined> {
  const lifetimeMs = change.lifetimeSeconds === undefined ? undefined : change.lifetimeSeconds * 1000;
  const [rows] = await db.batch([
    db
      .update(sandboxes)
      .set({
        ...change,
        ...(lifetimeMs !== undefined && { expiresAtMs: sql`${sandboxes.createdAtMs} + ${lifetimeMs}` }),
      })
      .where(
        and(
          owned(tenantId, id),
          inArray(sandboxes.state, ["creating", "running"]),
          // Past its deadline the slot may have been given back: such a sandbox must not be revived without one.
          gt(sandboxes.expiresAtMs, nowMs),
          lifetimeMs === undefined ? undefined : sql`${sandboxes.createdAtMs} + ${lifetimeMs} > ${nowMs}`,
        ),
      )
      .returning(),
    followDeadlineStatement(db, tenantId, id),
  ]);
  return rows[0];
}

const unendedMax = 10_000;

/** Everything that one host should be running, whoever owns it: reconciling is the operator's work. */
export async function listUnendedOnHost(db: Db, hostId: HostId): Promise<SandboxRow[]> {
  return db
    .select()
    .from(sandboxes)
    .where(and(eq(sandboxes.hostId, hostId), isNull(sandboxes.endedAtMs)))
    .limit(unendedMax);
}

const overdueMax = 500;
export type OverdueRow = { row: SandboxRow; heartbeatAtMs: number | null };

/** Unended rows, of all tenants, whose deadline has passed and whose host is silent or removed. */
export async function listOverdue(
  db: Db,
  before: { overdueBeforeMs: number; heardBeforeMs: number },
): Promise<OverdueRow[]> {
  return db
    .select({ row: sandboxes, heartbeatAtMs: hosts.heartbeatAtMs })
    .from(sandboxes)
    .innerJoin(hosts, eq(hosts.id, sandboxes.hostId))
    .where(
      and(
        isNull(sandboxes.endedAtMs),
        lt(sandboxes.expiresAtMs, before.overdueBeforeMs),
        or(
          isNotNull(hosts.removedAtMs),
          isNull(hosts.heartbeatAtMs),
          lte(hosts.heartbeatAtMs, before.heardBeforeMs),
        ),
      ),
    )
    .limit(overdueMax);
}

const endsPerBatch = 50;

/** Ends many sandboxes, of any tenants, a bounded number per batch. */
export async function endAll(
  db: Db,
  ends: readonly { row: SandboxRow; end: End }[],
  nowMs: number,
): Promise<void> {
  for (let i = 0; i < ends.length; i += endsPerBatch) {
    const statements = ends
      .slice(i, i + endsPerBatch)
      .flatMap(({ row, end }) => [...endStatements(db, row.tenantId, end, nowMs)]);
    const [first, ...rest] = statements;
    if (first) await db.batch([first, ...rest]);
  }
}
