import { sql } from "drizzle-orm";

/** Sums over rows `u` of usage, under the names of `Quantities`. */
export const sums = sql.raw(`
  coalesce(sum(u.cpu_ms), 0) AS cpuMs, coalesce(sum(u.memory_mib_seconds), 0) AS memoryMiBSeconds,
  coalesce(sum(u.disk_mib_seconds), 0) AS diskMiBSeconds, coalesce(sum(u.egress_kib), 0) AS egressKiB,
  coalesce(sum(u.paused_mib_seconds), 0) AS pausedMiBSeconds`);
