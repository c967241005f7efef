import type { Client } from "@libsql/client";
import type { KeyId, TenantId } from "#contract/ids";
import { noQuantities, type Quantities } from "#contract/usage";

export type Booked = {
  tenantId: TenantId;
  keyId: KeyId;
  /** '2026-01-31T12' */
  hour: string;
  /** What it is billed in; its own when absent. */
  month?: string;
  template?: string;
  metadata?: Record<string, string>;
  isWrittenOff?: boolean;
  used: Partial<Quantities>;
};

let sequence = 0;

/** Writes what the ledger and its sums hold after an event was taken in. */
export async function book(client: Pick<Client, "batch">, booked: Booked): Promise<void> {
  const { tenantId, keyId, hour, template = "base", metadata = {}, isWrittenOff = false } = booked;
  const month = booked.month ?? hour.slice(0, 7);
  const { cpuMs, memoryMiBSeconds, diskMiBSeconds, egressKiB, pausedMiBSeconds } = {
    ...noQuantities,
    ...booked.used,
  };
  const amounts = [cpuMs, memoryMiBSeconds, diskMiBSeconds, egressKiB, pausedMiBSeconds];
  const columns = "cpu_ms, memory_mib_seconds, disk_mib_seconds, egress_kib, paused_mib_seconds";
  const added = columns.split(", ").map((name) => `${name} = ${name} + excluded.${name}`);
  const fromMs = Date.parse(`${hour}:00:00Z`);
  sequence++;
  const event = {
    sql: `INSERT INTO usage_events (id, sandbox_id, generation, sequence, tenant_id, key_id, template, metadata, from_ms,
        to_ms, hour, month, ${columns}, is_final, is_written_off, received_at_ms, applied_at_ms)
      VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, 0, 0)`,
    args: [
      `event-${sequence}`,
      `sandbox-${sequence}`,
      sequence,
      tenantId,
      keyId,
      template,
      JSON.stringify(metadata),
      fromMs,
      fromMs + 60_000,
      hour,
      month,
      ...amounts,
      isWrittenOff ? 1 : 0,
    ],
  };
  const hours = {
    sql: `INSERT INTO usage_hours (tenant_id, hour, month, template, key_id, ${columns})
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET ${added}`,
    args: [tenantId, hour, month, template, keyId, ...amounts],
  };
  const months = {
    sql: `INSERT INTO usage_months (tenant_id, month, key_id, ${columns})
      VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET ${added}`,
    args: [tenantId, month, keyId, ...amounts],
  };
  await client.batch(isWrittenOff ? [event] : [event, hours, months], "write");
}
