import { and, eq, isNull, lt, sql } from "drizzle-orm";
import type { ErrorCode } from "#contract/errors";
import type { RunId, SandboxId, TenantId } from "#contract/ids";
import { type RunState, runStatesBefore } from "#contract/run";
import type { EndReason } from "#contract/sandbox";
import { auditStatement, type By } from "../audit/store.ts";
import type { Db } from "../db/client.ts";
import { type Rider, runBatch, type Statement } from "../db/rider.ts";
import { runs } from "../db/schema.ts";
import { AppError } from "../errors.ts";
import { type Admission, admitStatements, isHeldAs } from "../quota/admit-store.ts";
import { takeBackStatements } from "../quota/holds-store.ts";
import { releaseRunStatement } from "../quota/store.ts";
import { endingStatements } from "../sandboxes/store.ts";

export type RunRow = typeof runs.$inferSelect;
export type NewRun = Pick<
  RunRow,
  "id" | "template" | "cpu" | "memoryMiB" | "timeoutMs" | "metadata" | "createdAtMs" | "deadlineAtMs"
>;

const jsonOf = (text: string | undefined) => (text === undefined ? null : JSON.stringify(text));
const owned = (tenantId: TenantId, id: RunId) => sql`id = ${id} AND tenant_id = ${tenantId}`;
const mayBecome = (state: RunState) => sql`state IN ${runStatesBefore(state)}`;

/**
 * Queues a run if it is admitted, with the slot and the hold that its sandbox will need: they are under the run's own id
 * until then. Whether it was.
 */
export async function insertRun(
  db: Db,
  tenantId: TenantId,
  run: NewRun,
  { admission, by, rider }: { admission: Admission; by: By; rider?: Rider<RunId> | undefined },
): Promise<boolean> {
  const before = rider?.before(run.id) ?? [];
  const admitting = admitStatements(db, tenantId, admission, rider?.condition(run.id));
  const noted = { tenantId, atMs: run.createdAtMs, ...by, action: "run.created" as const, subject: run.id };
  const changed = await runBatch(db, [
    ...before,
    ...admitting,
    db.run(sql`
      INSERT INTO runs (id, tenant_id, state, generation, template, cpu, memory_mib, timeout_ms, metadata,
        created_at_ms, deadline_at_ms)
      SELECT ${run.id}, ${tenantId}, 'queued', 0, ${run.template}, ${run.cpu}, ${run.memoryMiB}, ${run.timeoutMs},
        ${JSON.stringify(run.metadata)}, ${run.createdAtMs}, ${run.deadlineAtMs}
      WHERE ${isHeldAs(tenantId, run.id)}`),
    auditStatement(db, { ...noted, details: { template: run.template } }),
    ...(rider?.after(run.id) ?? []),
  ]);
  return changed[before.length + admitting.length] === 1;
}

export async function findRun(db: Db, tenantId: TenantId, id: RunId): Promise<RunRow | undefined> {
  const rows = await db
    .select()
    .from(runs)
    .where(and(eq(runs.tenantId, tenantId), eq(runs.id, id)));
  return rows[0];
}

/** Leases a queued run to the sandbox that is being made for it, in the batch that takes its slot. */
export function leaseRider(
  db: Db,
  tenantId: TenantId,
  lease: { id: RunId; generation: number; nowMs: () => number },
): Rider<SandboxId> {
  const isNext = sql`${owned(tenantId, lease.id)} AND generation = ${lease.generation - 1} AND ${mayBecome("leased")}`;
  return {
    before: () => [],
    condition: () => sql`EXISTS (SELECT 1 FROM runs WHERE ${isNext})`,
    after: (sandboxId) => [
      db.run(sql`
        UPDATE runs SET state = 'leased', generation = ${lease.generation}, sandbox_id = ${sandboxId},
          leased_at_ms = ${lease.nowMs()}
        WHERE ${isNext} AND EXISTS (SELECT 1 FROM sandboxes WHERE id = ${sandboxId} AND tenant_id = ${tenantId})`),
    ],
    moved: (from, to) => [
      db.run(sql`
        UPDATE runs SET sandbox_id = ${to}
        WHERE ${owned(tenantId, lease.id)} AND generation = ${lease.generation} AND sandbox_id = ${from}
          AND EXISTS (SELECT 1 FROM sandboxes WHERE id = ${to} AND tenant_id = ${tenantId})`),
    ],
    async explain() {
      const row = await findRun(db, tenantId, lease.id);
      if (row?.state !== "queued") throw new AppError("run_ended", "The run has ended before it began.");
    },
  };
}

/** Whether the run is still this lease's to begin. After this it is never begun again. */
export async function markStarted(
  db: Db,
  tenantId: TenantId,
  lease: { id: RunId; generation: number; readyAtMs: number; nowMs: number },
): Promise<boolean> {
  const done = await db.run(sql`
    UPDATE runs SET state = 'running', ready_at_ms = ${lease.readyAtMs}, started_at_ms = ${lease.nowMs}
    WHERE ${owned(tenantId, lease.id)} AND generation = ${lease.generation} AND ${mayBecome("running")}`);
  return done.rowsAffected === 1;
}

export type RunEnd = {
  state: "succeeded" | "failed" | "timed_out" | "canceled" | "lost";
  endReason: EndReason | null;
  exitCode?: number;
  stdout?: string;
  stderr?: string;
  /** Of both, as they are kept. */
  outputBytes?: number;
  truncated?: { stdout: boolean; stderr: boolean };
  error?: { code: ErrorCode; detail: string };
};
/** Which run to end, as far as the caller may decide it. */
export type Ending = {
  id: RunId;
  end: RunEnd;
  by: By;
  nowMs: number;
  /** Of the lease that has come to its end, or to nothing; absent = whoever holds it. */
  generation?: number;
  /** Only if nobody can be at work any more. */
  overdueAtMs?: number;
};

/**
 * Ends a run and condemns its sandbox, both or neither, and both once: a crash right after leaves a sandbox that its
 * host is told to end. One that has none yet gives back what was held for it. Whether it was this call that ended it.
 */
export async function endRun(db: Db, tenantId: TenantId, ending: Ending): Promise<boolean> {
  const [ended] = await runBatch(db, endRunStatements(db, tenantId, ending));
  return ended === 1;
}

/** The first of them is what tells whether it was this that ended it. */
function endRunStatements(
  db: Db,
  tenantId: TenantId,
  { id, end, by, nowMs, ...only }: Ending,
): [ended: Statement, ...rest: Statement[]] {
  const { generation, overdueAtMs } = only;
  const { truncated, error } = end;
  const noted = { tenantId, atMs: nowMs, ...by, action: "run.ended" as const, subject: id };
  const hasEnded = sql`EXISTS (SELECT 1 FROM runs WHERE id = ${id} AND ended_at_ms IS NOT NULL)`;
  return [
    db.run(sql`
      UPDATE runs SET state = ${end.state}, ended_at_ms = ${nowMs}, end_reason = ${end.endReason},
        exit_code = ${end.exitCode ?? null}, stdout = ${jsonOf(end.stdout)}, stderr = ${jsonOf(end.stderr)},
        is_stdout_truncated = ${Number(truncated?.stdout ?? false)},
        is_stderr_truncated = ${Number(truncated?.stderr ?? false)}, output_bytes = ${end.outputBytes ?? 0},
        error_code = ${error?.code ?? null}, error_detail = ${error?.detail ?? null}
      WHERE ${owned(tenantId, id)} AND ${mayBecome(end.state)}
        AND ${generation === undefined ? sql`TRUE` : sql`generation <= ${generation}`}
        AND ${overdueAtMs === undefined ? sql`TRUE` : sql`deadline_at_ms < ${overdueAtMs}`}`),
    auditStatement(db, { ...noted, details: { state: end.state, reason: end.endReason } }),
    // A run that has not ended keeps what it has, so all of this may follow an update that changed nothing.
    ...endingStatements(db, tenantId, {
      reason: end.state === "canceled" || end.state === "lost" ? "canceled" : "exited",
      by,
      nowMs,
      ofWhich: sql`SELECT sandbox_id FROM runs WHERE ${owned(tenantId, id)} AND ended_at_ms IS NOT NULL`,
    }),
    ...takeBackStatements(db, tenantId, id, hasEnded),
    releaseRunStatement(db, tenantId, id, nowMs),
  ];
}

const overduePerRound = 200;

/** Runs, of all tenants, that somebody should have ended by now. */
export async function listOverdueRuns(db: Db, overdueAtMs: number) {
  return db
    .select({ id: runs.id, tenantId: runs.tenantId })
    .from(runs)
    .where(and(isNull(runs.endedAtMs), lt(runs.deadlineAtMs, overdueAtMs)))
    .limit(overduePerRound);
}

/** Ends overdue runs, of any tenants, in one batch. How many were still there to be ended. */
export async function endOverdue(
  db: Db,
  overdue: Awaited<ReturnType<typeof listOverdueRuns>>,
  ending: Omit<Ending, "id">,
): Promise<number> {
  const statements = overdue.map(({ id, tenantId }) => endRunStatements(db, tenantId, { ...ending, id }));
  const changed = await runBatch(db, statements.flat());
  let ended = 0;
  let at = 0;
  for (const each of statements) {
    ended += changed[at] ?? 0;
    at += each.length;
  }
  return ended;
}
