import { sql } from "drizzle-orm";
import { index, integer, real, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import type { ErrorCode } from "#contract/errors";
import type { PoolState } from "#contract/host";
import type { HostCode, HostId, RunId, SandboxId } from "#contract/ids";
import type { RunState } from "#contract/run";
import type { EndReason, SandboxState } from "#contract/sandbox";
import { tenantId } from "./schema-tenants.ts";

export { audit, auditHeads } from "./schema-audit.ts";
export * from "./schema-money.ts";
export { keys, plans, tenants } from "./schema-tenants.ts";

// The migrations are the truth; a test holds these tables equal to what they make.

export const migrations = sqliteTable("migrations", {
  name: text("name").primaryKey().notNull(),
  hash: text("hash").notNull(),
  appliedAtMs: integer("applied_at_ms").notNull(),
});

export const hosts = sqliteTable(
  "hosts",
  {
    id: text("id").$type<HostId>().primaryKey().notNull(),
    code: text("code").$type<HostCode>().notNull(),
    url: text("url"),
    isDraining: integer("is_draining", { mode: "boolean" }).notNull().default(false),
    cores: integer("cores").notNull().default(0),
    freeMemoryMiB: integer("free_memory_mib").notNull().default(0),
    pools: text("pools", { mode: "json" }).$type<PoolState[]>().notNull().default([]),
    createdAtMs: integer("created_at_ms").notNull(),
    heartbeatAtMs: integer("heartbeat_at_ms"),
    heartbeatSignedAtMs: integer("heartbeat_signed_at_ms"),
    removedAtMs: integer("removed_at_ms"),
    drainRequestedAtMs: integer("drain_requested_at_ms"),
  },
  (t) => [uniqueIndex("hosts_by_code").on(t.code)],
);

export const templates = sqliteTable("templates", {
  name: text("name").primaryKey().notNull(),
  digest: text("digest").notNull(),
  cpu: real("cpu"),
  memoryMiB: integer("memory_mib"),
  pids: integer("pids"),
  diskMiB: integer("disk_mib"),
  updatedAtMs: integer("updated_at_ms").notNull(),
});

export const aliases = sqliteTable("aliases", {
  name: text("name").primaryKey().notNull(),
  template: text("template")
    .notNull()
    .references(() => templates.name),
});

export const sandboxes = sqliteTable(
  "sandboxes",
  {
    id: text("id").$type<SandboxId>().primaryKey().notNull(),
    tenantId: tenantId(),
    hostId: text("host_id")
      .$type<HostId>()
      .notNull()
      .references(() => hosts.id),
    generation: integer("generation").notNull(),
    template: text("template").notNull(),
    state: text("state").$type<SandboxState>().notNull(),
    cpu: real("cpu").notNull(),
    memoryMiB: integer("memory_mib").notNull(),
    pids: integer("pids").notNull().default(256),
    diskMiB: integer("disk_mib").notNull().default(128),
    lifetimeSeconds: integer("lifetime_seconds").notNull(),
    idleSeconds: integer("idle_seconds").notNull(),
    metadata: text("metadata", { mode: "json" }).$type<Record<string, string>>().notNull(),
    createdAtMs: integer("created_at_ms").notNull(),
    startedAtMs: integer("started_at_ms"),
    expiresAtMs: integer("expires_at_ms").notNull(),
    endedAtMs: integer("ended_at_ms"),
    endReason: text("end_reason").$type<EndReason>(),
    publicPorts: integer("public_ports", { mode: "boolean" }).notNull().default(false),
    capMicros: integer("cap_micros"),
  },
  (t) => [
    index("sandboxes_by_tenant").on(t.tenantId, t.createdAtMs, t.id),
    index("sandboxes_by_tenant_state").on(t.tenantId, t.state, t.createdAtMs, t.id),
    index("sandboxes_by_tenant_template").on(t.tenantId, t.template, t.createdAtMs, t.id),
    index("sandboxes_unended_by_host_age").on(t.hostId, t.createdAtMs, t.id).where(sql`ended_at_ms IS NULL`),
    index("sandboxes_ended").on(t.endedAtMs).where(sql`ended_at_ms IS NOT NULL`),
    index("sandboxes_unended_by_deadline").on(t.expiresAtMs).where(sql`ended_at_ms IS NULL`),
  ],
);

export const reservations = sqliteTable(
  "reservations",
  {
    id: text("id").primaryKey().notNull(),
    tenantId: tenantId(),
    /** A run's own id while it is queued and has no sandbox. */
    sandboxId: text("sandbox_id").$type<SandboxId | RunId>().notNull(),
    expiresAtMs: integer("expires_at_ms").notNull(),
    releasedAtMs: integer("released_at_ms"),
  },
  (t) => [
    uniqueIndex("reservations_by_sandbox").on(t.sandboxId),
    index("reservations_released").on(t.releasedAtMs).where(sql`released_at_ms IS NOT NULL`),
    index("reservations_released_by_tenant").on(t.tenantId).where(sql`released_at_ms IS NOT NULL`),
    index("reservations_held_by_tenant").on(t.tenantId).where(sql`released_at_ms IS NULL`),
    index("reservations_held_by_deadline").on(t.expiresAtMs).where(sql`released_at_ms IS NULL`),
  ],
);

export const runs = sqliteTable(
  "runs",
  {
    id: text("id").$type<RunId>().primaryKey().notNull(),
    tenantId: tenantId(),
    state: text("state").$type<RunState>().notNull(),
    generation: integer("generation").notNull(),
    template: text("template").notNull(),
    cpu: real("cpu").notNull(),
    memoryMiB: integer("memory_mib").notNull(),
    timeoutMs: integer("timeout_ms").notNull(),
    metadata: text("metadata", { mode: "json" }).$type<Record<string, string>>().notNull(),
    sandboxId: text("sandbox_id").$type<SandboxId>(),
    createdAtMs: integer("created_at_ms").notNull(),
    deadlineAtMs: integer("deadline_at_ms").notNull(),
    leasedAtMs: integer("leased_at_ms"),
    readyAtMs: integer("ready_at_ms"),
    startedAtMs: integer("started_at_ms"),
    endedAtMs: integer("ended_at_ms"),
    exitCode: integer("exit_code"),
    stdout: text("stdout", { mode: "json" }).$type<string>(),
    stderr: text("stderr", { mode: "json" }).$type<string>(),
    isStdoutTruncated: integer("is_stdout_truncated", { mode: "boolean" }).notNull().default(false),
    isStderrTruncated: integer("is_stderr_truncated", { mode: "boolean" }).notNull().default(false),
    endReason: text("end_reason").$type<EndReason>(),
    errorCode: text("error_code").$type<ErrorCode>(),
    errorDetail: text("error_detail"),
    outputBytes: integer("output_bytes").notNull().default(0),
  },
  (t) => [
    index("runs_by_tenant").on(t.tenantId, t.createdAtMs, t.id),
    index("runs_by_tenant_state").on(t.tenantId, t.state, t.createdAtMs, t.id),
    index("runs_by_tenant_template").on(t.tenantId, t.template, t.createdAtMs, t.id),
    index("runs_ended").on(t.endedAtMs).where(sql`ended_at_ms IS NOT NULL`),
    index("runs_unended_by_deadline").on(t.deadlineAtMs).where(sql`ended_at_ms IS NULL`),
  ],
);

export const idempotency = sqliteTable(
  "idempotency",
  {
    id: text("id").primaryKey().notNull(),
    tenantId: tenantId(),
    fingerprint: text("fingerprint").notNull(),
    owner: text("owner").notNull(),
    leaseUntilMs: integer("lease_until_ms").notNull(),
    resourceId: text("resource_id").notNull(),
    status: integer("status"),
    body: text("body"),
    createdAtMs: integer("created_at_ms").notNull(),
  },
  (t) => [index("idempotency_by_age").on(t.createdAtMs), index("idempotency_by_tenant").on(t.tenantId)],
);
