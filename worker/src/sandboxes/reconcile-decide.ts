import type { Heartbeat, HeartbeatReply, LiveSandbox } from "#contract/host";
import { limits } from "#contract/limits";
import type { EndReason } from "#contract/sandbox";
import type { End, SandboxRow } from "./store.ts";

type Seen = {
  heartbeat: Heartbeat;
  /** Every row of this host that has not ended. */
  rows: readonly SandboxRow[];
  nowMs: number;
  /** What to add to the host's clock to get ours. */
  clockOffsetMs: number;
};
export type Decision = {
  running: SandboxRow[];
  ends: { row: SandboxRow; end: End }[];
  reply: HeartbeatReply;
};

/** Compares what should run on a host with what it says does: the row is the intent, the host is the truth. */
export function decide(seen: Seen): Decision {
  const { heartbeat, rows, nowMs, clockOffsetMs } = seen;
  const unended = new Map(rows.map((row) => [row.id, row]));
  const decision: Decision = { running: [], ends: [], reply: { acknowledged: [], kill: [], deadlines: [] } };
  for (const ended of heartbeat.ended) {
    const { sandboxId, generation, endReason } = ended;
    decision.reply.acknowledged.push({ sandboxId, generation });
    const row = unended.get(sandboxId);
    if (row?.generation !== generation) continue;
    unended.delete(sandboxId);
    const endedAtMs = Math.min(nowMs, Math.max(row.createdAtMs, ended.endedAtMs + clockOffsetMs));
    decision.ends.push({ row, end: { sandboxId, generation, reason: endReason, endedAtMs } });
  }
  for (const live of heartbeat.live) {
    const row = unended.get(live.sandboxId);
    if (row?.generation === live.generation) unended.delete(live.sandboxId);
    decideLive(decision, live, row, nowMs);
  }
  const snapshotAtMs = heartbeat.takenAtMs + clockOffsetMs;
  for (const row of unended.values()) {
    if (mayBeTooNew(row, snapshotAtMs)) continue;
    const reason: EndReason = row.state === "ending" ? (row.endReason ?? "killed") : "crashed";
    // Neither live there nor ended, and never confirmed: the host was not asked, or never heard it.
    const isUnmade = row.startedAtMs === null;
    const end = { sandboxId: row.id, generation: row.generation, reason, endedAtMs: nowMs, isUnmade };
    decision.ends.push({ row, end });
  }
  return decision;
}

function decideLive(decision: Decision, live: LiveSandbox, row: SandboxRow | undefined, nowMs: number): void {
  const { sandboxId, generation } = live;
  const { kill, deadlines } = decision.reply;
  // A row is written before its host is asked, so what has none was given up, moved away or never ours.
  if (row?.generation !== generation) {
    kill.push({ sandboxId, generation, reason: "killed" });
  } else if (row.state === "ending") {
    kill.push({ sandboxId, generation, reason: row.endReason ?? "killed" });
  } else if (row.expiresAtMs + limits.reservationGraceMs < nowMs) {
    kill.push({ sandboxId, generation, reason: "lifetime" });
  } else {
    if (row.state === "creating") decision.running.push(row);
    if (row.expiresAtMs !== live.expiresAtMs) {
      deadlines.push({ sandboxId, generation, expiresAtMs: row.expiresAtMs });
    }
  }
}

/** Whether the host's snapshot may be older than the sandbox: then its absence there means nothing. */
function mayBeTooNew(row: SandboxRow, snapshotAtMs: number): boolean {
  const shouldBeThereAtMs = row.startedAtMs ?? row.createdAtMs + limits.createDeadlineMs;
  return shouldBeThereAtMs + limits.snapshotGraceMs > snapshotAtMs;
}
