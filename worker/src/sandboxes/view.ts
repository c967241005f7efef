import type { Sandbox } from "#contract/sandbox";
import type { SandboxRow } from "./store.ts";

/** A sandbox as its tenant sees it: no host, no generation. */
export function toSandbox(row: SandboxRow): Sandbox {
  const isEnded = row.endedAtMs !== null;
  return {
    id: row.id,
    template: row.template,
    state: row.state,
    cpu: row.cpu,
    memoryMiB: row.memoryMiB,
    pids: row.pids,
    diskMiB: row.diskMiB,
    lifetimeSeconds: row.lifetimeSeconds,
    idleSeconds: row.idleSeconds,
    publicPorts: row.publicPorts,
    metadata: row.metadata,
    ...(row.capMicros !== null && { budget: { capMicros: row.capMicros } }),
    createdAt: isoTime(row.createdAtMs),
    expiresAt: isoTime(row.expiresAtMs),
    ...(row.endedAtMs !== null && { endedAt: isoTime(row.endedAtMs) }),
    // While `ending`, the column holds what is intended, not what has happened.
    ...(isEnded && row.endReason !== null && { endReason: row.endReason }),
  };
}

const isoTime = (ms: number): string => new Date(ms).toISOString();
