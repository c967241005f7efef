import type { PoolSettings } from "#host/pool/settings";

/** A pool that stays as it is set: tests say what is to move. */
export const stillPool: PoolSettings = {
  min: 0,
  target: 3,
  max: 50,
  idleMax: Number.POSITIVE_INFINITY,
  lookAheadSeconds: 0,
  isCleanupAggressive: false,
  quietMs: 300_000,
  parkAfterMs: undefined,
  maxAgeMs: undefined,
  startsMax: 4,
  waitingMax: 100,
  waitingPerTenantMax: 100,
  memberLimits: { cpu: 1, memoryMiB: 256, pids: 256 },
};
