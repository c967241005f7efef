import { type SQL, sql } from "drizzle-orm";
import type { Quantities } from "#contract/usage";

/** The columns of amounts, in every table that has any. */
export const columnOf = {
  cpuMs: "cpu_ms",
  memoryMiBSeconds: "memory_mib_seconds",
  diskMiBSeconds: "disk_mib_seconds",
  egressKiB: "egress_kib",
  pausedMiBSeconds: "paused_mib_seconds",
} as const satisfies Record<keyof Quantities, string>;
export const columns = Object.values(columnOf);

const keysOf = {
  usage_hours: "tenant_id, hour, month, template, key_id",
  usage_months: "tenant_id, month, key_id",
} as const;

/** Adds the events of the ledger that meet a condition to one of its tables of sums. */
export function sumsInto(table: keyof typeof keysOf, condition: SQL): SQL {
  const keys = keysOf[table];
  const sums = columns.map((column) => `sum(${column})`);
  const added = columns.map((column) => `${column} = ${column} + excluded.${column}`);
  return sql`
    INSERT INTO ${sql.raw(table)} (${sql.raw(keys)}, ${sql.raw(columns.join(", "))})
    SELECT ${sql.raw(keys)}, ${sql.raw(sums.join(", "))} FROM usage_events WHERE ${condition}
    GROUP BY ${sql.raw(keys)}
    ON CONFLICT DO UPDATE SET ${sql.raw(added.join(", "))}`;
}
