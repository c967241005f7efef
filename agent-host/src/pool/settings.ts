import type { Resolved } from "#contract/settings";
import type { CgroupLimits } from "../cgroup/limits.ts";

/** Counts are per template unless they say otherwise. */
export type PoolSettings = {
  min: number;
  target: number;
  max: number;
  /** Warm members of all templates together. */
  idleMax: number;
  lookAheadSeconds: number;
  isCleanupAggressive: boolean;
  quietMs: number;
  /** `undefined` = never. */
  parkAfterMs: number | undefined;
  maxAgeMs: number | undefined;
  /** Of all templates together. */
  startsMax: number;
  waitingMax: number;
  waitingPerTenantMax: number;
  memberLimits: CgroupLimits;
};

export function poolSettingsOf(settings: Resolved, memberLimits: CgroupLimits): PoolSettings {
  const ceilingMiB = settings.SANDGATE_POOL_IDLE_MEMORY_MIB || Number.POSITIVE_INFINITY;
  const orNever = (seconds: number) => (seconds === 0 ? undefined : seconds * 1_000);
  return {
    min: settings.SANDGATE_POOL_MIN,
    target: settings.SANDGATE_POOL_TARGET,
    max: settings.SANDGATE_POOL_MAX,
    idleMax: Math.floor(ceilingMiB / memberLimits.memoryMiB),
    lookAheadSeconds: settings.SANDGATE_POOL_LOOKAHEAD_SECONDS,
    isCleanupAggressive: settings.SANDGATE_POOL_AGGRESSIVE_CLEANUP,
    quietMs: settings.SANDGATE_POOL_QUIET_SECONDS * 1_000,
    parkAfterMs: orNever(settings.SANDGATE_POOL_PARK_SECONDS),
    maxAgeMs: orNever(settings.SANDGATE_POOL_MAX_AGE_SECONDS),
    startsMax: settings.SANDGATE_POOL_STARTS_MAX,
    waitingMax: settings.SANDGATE_POOL_WAITING_MAX,
    waitingPerTenantMax: settings.SANDGATE_POOL_WAITING_PER_TENANT_MAX,
    memberLimits,
  };
}
