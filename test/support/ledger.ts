import type { InValue } from "@libsql/client";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach } from "vitest";
import { type KeyId, newSandboxId, type SandboxId, type TenantId } from "#contract/ids";
import { worstCase } from "#contract/price";
import { noQuantities, type Quantities, type UsageEvent } from "#contract/usage";
import type { Db } from "#worker/db/client";
import { ingest } from "#worker/usage/ingest";
import { type Harness, harness } from "./harness.ts";

export type NewHold = {
  sandboxId: SandboxId;
  tenantId: TenantId;
  keyId: KeyId;
  createdAtMs: number;
  lifetimeSeconds?: number;
  template?: string;
  capMicros?: number;
};

const size = { cpu: 1, memoryMiB: 256, diskMiB: 1024 };

/** What a create leaves in the books, for a sandbox of the default size. */
export async function holdFor(db: Db, hold: NewHold): Promise<void> {
  const lifetimeSeconds = hold.lifetimeSeconds ?? 900;
  const most = worstCase(size, lifetimeSeconds);
  await db.run(sql`
    INSERT OR IGNORE INTO price_sheets (tenant_id, month, sheet)
    SELECT tenant_id, strftime('%Y-%m', ${hold.createdAtMs} / 1000, 'unixepoch'), sheet FROM tenant_plans
    WHERE tenant_id = ${hold.tenantId}`);
  await db.run(sql`
    INSERT INTO holds (sandbox_id, generation, tenant_id, key_id, template, metadata, lifetime_seconds, cpu_ms,
      memory_mib_seconds, disk_mib_seconds, egress_kib, cap_micros, created_at_ms, expires_at_ms)
    VALUES (${hold.sandboxId}, 1, ${hold.tenantId}, ${hold.keyId}, ${hold.template ?? "base"}, '{"team":"red"}',
      ${lifetimeSeconds}, ${most.cpuMs}, ${most.memoryMiBSeconds}, ${most.diskMiBSeconds}, 0, ${hold.capMicros ?? null},
      ${hold.createdAtMs}, ${hold.createdAtMs + lifetimeSeconds * 1000})`);
}

type Minute = { fromMs: number; seconds?: number; quantities?: Partial<Quantities>; isFinal?: boolean };

/** An interval of a sandbox of the default size; a minute of it, unless said otherwise. */
export function usageEvent(sandboxId: SandboxId, sequence: number, of: Minute): UsageEvent {
  const seconds = of.seconds ?? 60;
  return {
    sandboxId,
    generation: 1,
    sequence,
    fromMs: of.fromMs,
    toMs: of.fromMs + seconds * 1000,
    quantities: {
      ...noQuantities,
      cpuMs: 100,
      memoryMiBSeconds: size.memoryMiB * seconds,
      diskMiBSeconds: size.diskMiB * seconds,
      ...of.quantities,
    },
    isFinal: of.isFinal ?? false,
  };
}

export const rowsOf = (db: Db, query: string): Promise<Record<string, InValue>[]> => db.all(sql.raw(query));

/** The books, but for when they were written. */
export async function booksOf(db: Db) {
  return {
    events: await rowsOf(
      db,
      `SELECT id, tenant_id, key_id, template, metadata, from_ms, to_ms, hour, month, cpu_ms, memory_mib_seconds,
        disk_mib_seconds, is_final, is_written_off, applied_at_ms IS NULL AS is_new FROM usage_events ORDER BY id`,
    ),
    hours: await rowsOf(db, "SELECT * FROM usage_hours ORDER BY tenant_id, hour, month, template, key_id"),
    months: await rowsOf(db, "SELECT * FROM usage_months ORDER BY tenant_id, month, key_id"),
    holds: await rowsOf(
      db,
      `SELECT sandbox_id, used_cpu_ms, used_memory_mib_seconds, used_disk_mib_seconds, events_seen, events_expected,
        settled_at_ms IS NOT NULL AS is_settled FROM holds ORDER BY sandbox_id`,
    ),
  };
}

/** 10:00 of the first day of 2030. */
export const startMs = Date.UTC(2030, 0, 1, 10);
export const minuteMs = 60_000;
const tables = "usage_events usage_hours usage_months holds statements audit".split(" ");

/** A control plane whose books are empty before each test of the file. */
export function ledgerOfThisFile() {
  let h: Harness;
  beforeAll(async () => {
    h = await harness();
    await h.deps.db.run(sql.raw("DROP TRIGGER IF EXISTS statements_are_immutable"));
  });
  afterAll(() => h.close());
  const clear = async () => {
    for (const table of tables) await h.deps.db.run(sql.raw(`DELETE FROM ${table}`));
    h.events.splice(0);
  };
  beforeEach(clear);
  return {
    get h() {
      return h;
    },
    clear,
    take: (events: UsageEvent[]) => ingest(h.deps, h.host.hostId, { events }),
    logged: (event: string) => h.events.filter((each) => each.event === event),
    async sandbox(over: Partial<NewHold> = {}): Promise<SandboxId> {
      const sandboxId = newSandboxId(h.host.code);
      const { tenantId, id: keyId } = h;
      await holdFor(h.deps.db, { sandboxId, tenantId, keyId, createdAtMs: startMs, ...over });
      return sandboxId;
    },
  };
}

/** So many minutes of a life from its beginning on, the last of them final. */
export const lifeOf = (id: SandboxId, minutes: number, fromMs = startMs) =>
  Array.from({ length: minutes }, (_, i) =>
    usageEvent(id, i + 1, { fromMs: fromMs + i * minuteMs, isFinal: i === minutes - 1 }),
  );
