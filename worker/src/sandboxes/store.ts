import { and, eq, inArray, isNotNull, isNull, lt, lte, or, type SQL, sql } from "drizzle-orm";
import type { HostId, SandboxId, TenantId } from "#contract/ids";
import { type EndReason, type SandboxState, statesBefore } from "#contract/sandbox";
import { auditEachStatement, auditStatement, type By } from "../audit/store.ts";
import type { Db } from "../db/client.ts";
import { rowFinder } from "../db/find-row.ts";
import { type Rider, runBatch, type Statement } from "../db/rider.ts";
import { hosts, sandboxes } from "../db/schema.ts";
import { moveHoldStatement, takeBackStatements } from "../quota/holds-store.ts";
import { moveReservationStatement, releaseEndedStatement } from "../quota/store.ts";

export type SandboxRow = typeof sandboxes.$inferSelect;
export type End = {
  sandboxId: SandboxId;
  generation: number;
  reason: EndReason;
  endedAtMs: number;
  /** No host ever had it: all that was taken for it is given back. */
  isUnmade?: boolean;
};

const owned = (tenantId: TenantId, id: SandboxId) =>
  and(eq(sandboxes.tenantId, tenantId), eq(sandboxes.id, id));
const mayBecome = (state: SandboxState) => inArray(sandboxes.state, statesBefore(state));

/** Gives a sandbox that its host has refused another id on another host. Whether it was still being created. */
export async function moveToHost(
  db: Db,
  tenantId: TenantId,
  from: SandboxId,
  to: { id: SandboxId; hostId: HostId; by: By; nowMs: number; rider?: Rider<SandboxId> | undefined },
): Promise<boolean> {
  const { by, nowMs } = to;
  const moved = { tenantId, atMs: nowMs, ...by, action: "sandbox.moved" as const, subject: from };
  const [changed] = await runBatch(db, [
    db.run(sql`
      UPDATE sandboxes SET id = ${to.id}, host_id = ${to.hostId}
      WHERE tenant_id = ${tenantId} AND id = ${from} AND state = 'creating'`),
    auditStatement(db, { ...moved, details: { to: to.id } }),
    moveHoldStatement(db, tenantId, from, { id: to.id }),
    moveReservationStatement(db, tenantId, from, to.id),
    ...(to.rider?.moved(from, to.id) ?? []),
  ]);
  return changed === 1;
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

type Ending = {
  reason: EndReason;
  by: By;
  nowMs: number;
  /** Only if its host has not confirmed it. */
  isUnstarted?: boolean;
};

/** The row as it is now `ending`; `undefined` when it was so already, has ended, or is not there. */
export async function markEnding(db: Db, tenantId: TenantId, id: SandboxId, ending: Ending) {
  const { reason, isUnstarted, by, nowMs } = ending;
  const which = and(
    owned(tenantId, id),
    mayBecome("ending"),
    isUnstarted ? isNull(sandboxes.startedAtMs) : undefined,
  );
  const [rows] = await db.batch([
    db.update(sandboxes).set({ state: "ending", endReason: reason }).where(which).returning(),
    auditStatement(db, { ...endedEntry(tenantId, { reason, by, nowMs }), subject: id }),
  ]);
  return rows[0];
}

type Ended = { reason: EndReason; by: By; nowMs: number };

/** One entry per sandbox: of the change that makes its end certain, by whoever made it. */
const endedEntry = (tenantId: TenantId, { reason, by, nowMs }: Ended) => ({
  tenantId,
  atMs: nowMs,
  ...by,
  action: "sandbox.ended" as const,
  details: { reason },
});

/** Condemns the sandboxes whose ids a query gives, as a part of the batch of what they were for. */
export function endingStatements(
  db: Db,
  tenantId: TenantId,
  ending: Ended & { ofWhich: SQL },
): [Statement, Statement] {
  const which = sql`
    tenant_id = ${tenantId} AND state IN ${statesBefore("ending")} AND id IN (${ending.ofWhich})`;
  return [
    auditEachStatement(
      db,
      endedEntry(tenantId, ending),
      sql`SELECT id AS subject FROM sandboxes WHERE ${which}`,
    ),
    db.run(sql`UPDATE sandboxes SET state = 'ending', end_reason = ${ending.reason} WHERE ${which}`),
  ];
}

/** Ends a sandbox of this generation and gives its slot back, both once. */
export async function endSandbox(
  db: Db,
  tenantId: TenantId,
  end: End,
  done: { by: By; nowMs: number },
): Promise<void> {
  await runBatch(db, endStatements(db, tenantId, end, done));
}

function endStatements(
  db: Db,
  tenantId: TenantId,
  end: End,
  { by, nowMs }: { by: By; nowMs: number },
): Statement[] {
  const { sandboxId: id, generation, reason, endedAtMs, isUnmade } = end;
  const which = sql`tenant_id = ${tenantId} AND id = ${id} AND generation = ${generation}`;
  const isEnded = sql`
    EXISTS (SELECT 1 FROM sandboxes WHERE id = ${id} AND ended_at_ms IS NOT NULL AND started_at_ms IS NULL)`;
  return [
    // Before the end, when it can still be told from one that was asked for, and noted, earlier.
    auditEachStatement(
      db,
      endedEntry(tenantId, { reason, by, nowMs }),
      sql`SELECT id AS subject FROM sandboxes WHERE ${which} AND state IN ${statesBefore("ending")}`,
    ),
    db.run(sql`
      UPDATE sandboxes SET state = 'ended', end_reason = ${reason}, ended_at_ms = ${endedAtMs}
      WHERE ${which} AND state IN ${statesBefore("ended")}`),
    releaseEndedStatement(db, tenantId, id, nowMs),
    ...(isUnmade ? takeBackStatements(db, tenantId, id, isEnded) : []),
  ];
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
  done: { by: By; nowMs: number },
): Promise<void> {
  for (let i = 0; i < ends.length; i += endsPerBatch) {
    const some = ends.slice(i, i + endsPerBatch);
    await runBatch(
      db,
      some.flatMap(({ row, end }) => endStatements(db, row.tenantId, end, done)),
    );
  }
}
