import type { Run, RunSummary } from "#contract/run";
import type { RunRow } from "./store.ts";

export type SummaryRow = Omit<RunRow, "stdout" | "stderr">;

/** A run as its tenant sees it. */
export function toRun(row: RunRow): Run {
  return {
    ...toSummary(row),
    ...(row.stdout !== null && { stdout: row.stdout }),
    ...(row.stderr !== null && { stderr: row.stderr }),
  };
}

export function toSummary(row: SummaryRow): RunSummary {
  const { createdAtMs, leasedAtMs, endedAtMs } = row;
  return {
    id: row.id,
    state: row.state,
    template: row.template,
    ...(row.sandboxId !== null && { sandboxId: row.sandboxId }),
    metadata: row.metadata,
    timeoutMs: row.timeoutMs,
    createdAt: new Date(createdAtMs).toISOString(),
    ...(endedAtMs !== null && { endedAt: new Date(endedAtMs).toISOString() }),
    ...(row.exitCode !== null && {
      exitCode: row.exitCode,
      truncated: { stdout: row.isStdoutTruncated, stderr: row.isStderrTruncated },
    }),
    ...(row.endReason !== null && { endReason: row.endReason }),
    ...(row.errorCode !== null && { error: { code: row.errorCode, detail: row.errorDetail ?? "" } }),
    cached: false,
    timings: timingsOf(row),
    ...(endedAtMs !== null &&
      leasedAtMs !== null && {
        usage: { cpu: row.cpu, memoryMiB: row.memoryMiB, wallMs: span(leasedAtMs, endedAtMs) },
      }),
  };
}

function timingsOf({ createdAtMs, leasedAtMs, readyAtMs, startedAtMs, endedAtMs }: SummaryRow) {
  return {
    ...(leasedAtMs !== null && { queuedMs: span(createdAtMs, leasedAtMs) }),
    ...(leasedAtMs !== null && readyAtMs !== null && { leaseMs: span(leasedAtMs, readyAtMs) }),
    ...(readyAtMs !== null && startedAtMs !== null && { filesMs: span(readyAtMs, startedAtMs) }),
    ...(startedAtMs !== null && endedAtMs !== null && { execMs: span(startedAtMs, endedAtMs) }),
    ...(endedAtMs !== null && { totalMs: span(createdAtMs, endedAtMs) }),
  };
}

/** A clock that steps back makes a phase short, not negative. */
const span = (fromMs: number, toMs: number) => Math.max(0, toMs - fromMs);
