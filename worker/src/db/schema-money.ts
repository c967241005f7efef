import { sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import type { KeyId, RunId, SandboxId } from "#contract/ids";
import type { PriceSheet } from "#contract/plan";
import { tenantId } from "./schema-tenants.ts";

const keyId = () => text("key_id").$type<KeyId>().notNull();
const metadata = () => text("metadata", { mode: "json" }).$type<Record<string, string>>().notNull();
const quantities = () => ({
  cpuMs: integer("cpu_ms").notNull(),
  memoryMiBSeconds: integer("memory_mib_seconds").notNull(),
  diskMiBSeconds: integer("disk_mib_seconds").notNull(),
  egressKiB: integer("egress_kib").notNull(),
});

export const priceSheets = sqliteTable(
  "price_sheets",
  {
    tenantId: tenantId(),
    month: text("month").notNull(),
    sheet: text("sheet", { mode: "json" }).$type<PriceSheet>().notNull(),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.month] })],
);

export const holds = sqliteTable(
  "holds",
  {
    /** A run's own id while it is queued and has no sandbox. */
    sandboxId: text("sandbox_id").$type<SandboxId | RunId>().primaryKey().notNull(),
    generation: integer("generation").notNull(),
    tenantId: tenantId(),
    keyId: keyId(),
    template: text("template").notNull(),
    metadata: metadata(),
    lifetimeSeconds: integer("lifetime_seconds").notNull(),
    ...quantities(),
    pausedMiBSeconds: integer("paused_mib_seconds").notNull().default(0),
    capMicros: integer("cap_micros"),
    usedCpuMs: integer("used_cpu_ms").notNull().default(0),
    usedMemoryMiBSeconds: integer("used_memory_mib_seconds").notNull().default(0),
    usedDiskMiBSeconds: integer("used_disk_mib_seconds").notNull().default(0),
    usedEgressKiB: integer("used_egress_kib").notNull().default(0),
    usedPausedMiBSeconds: integer("used_paused_mib_seconds").notNull().default(0),
    eventsSeen: integer("events_seen").notNull().default(0),
    eventsExpected: integer("events_expected"),
    createdAtMs: integer("created_at_ms").notNull(),
    expiresAtMs: integer("expires_at_ms").notNull(),
    settledAtMs: integer("settled_at_ms"),
  },
  (t) => [
    index("holds_open_by_tenant").on(t.tenantId, t.keyId).where(sql`settled_at_ms IS NULL`),
    index("holds_open_by_deadline").on(t.expiresAtMs).where(sql`settled_at_ms IS NULL`),
    index("holds_settled_by_tenant").on(t.tenantId).where(sql`settled_at_ms IS NOT NULL`),
    index("holds_settled").on(t.settledAtMs).where(sql`settled_at_ms IS NOT NULL`),
  ],
);

export const createsByDay = sqliteTable(
  "creates_by_day",
  { tenantId: tenantId(), day: text("day").notNull(), creates: integer("creates").notNull() },
  (t) => [primaryKey({ columns: [t.tenantId, t.day] })],
);

/** Output that is kept of a tenant's runs; triggers follow `runs.output_bytes`. */
export const storedOutput = sqliteTable("stored_output", {
  tenantId: tenantId().primaryKey(),
  bytes: integer("bytes").notNull(),
});

export const usageEvents = sqliteTable(
  "usage_events",
  {
    id: text("id").primaryKey().notNull(),
    sandboxId: text("sandbox_id").$type<SandboxId>().notNull(),
    generation: integer("generation").notNull(),
    sequence: integer("sequence").notNull(),
    tenantId: tenantId(),
    keyId: keyId(),
    template: text("template").notNull(),
    metadata: metadata(),
    fromMs: integer("from_ms").notNull(),
    toMs: integer("to_ms").notNull(),
    hour: text("hour").notNull(),
    month: text("month").notNull(),
    ...quantities(),
    pausedMiBSeconds: integer("paused_mib_seconds").notNull(),
    isFinal: integer("is_final", { mode: "boolean" }).notNull(),
    isWrittenOff: integer("is_written_off", { mode: "boolean" }).notNull().default(false),
    receivedAtMs: integer("received_at_ms").notNull(),
    appliedAtMs: integer("applied_at_ms"),
  },
  (t) => [
    index("usage_events_by_tenant").on(t.tenantId, t.hour),
    index("usage_events_by_month").on(t.month, t.tenantId),
    index("usage_events_new").on(t.id).where(sql`applied_at_ms IS NULL`),
  ],
);

export const usageHours = sqliteTable(
  "usage_hours",
  {
    tenantId: tenantId(),
    hour: text("hour").notNull(),
    month: text("month").notNull(),
    template: text("template").notNull(),
    keyId: keyId(),
    ...quantities(),
    pausedMiBSeconds: integer("paused_mib_seconds").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.hour, t.month, t.template, t.keyId] }),
    index("usage_hours_by_month").on(t.month, t.tenantId),
  ],
);

export const usageMonths = sqliteTable(
  "usage_months",
  {
    tenantId: tenantId(),
    month: text("month").notNull(),
    keyId: keyId(),
    ...quantities(),
    pausedMiBSeconds: integer("paused_mib_seconds").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.month, t.keyId] }),
    index("usage_months_by_month").on(t.month, t.tenantId),
  ],
);

export const closedMonths = sqliteTable("closed_months", {
  month: text("month").primaryKey().notNull(),
  closedAtMs: integer("closed_at_ms").notNull(),
});

export const statements = sqliteTable(
  "statements",
  {
    tenantId: tenantId(),
    month: text("month").notNull(),
    body: text("body", { mode: "json" }).$type<Record<string, unknown>>().notNull(),
    closedAtMs: integer("closed_at_ms").notNull(),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.month] })],
);
