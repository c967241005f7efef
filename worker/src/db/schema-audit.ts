import { sql } from "drizzle-orm";
import { index, integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
import type { TenantId } from "#contract/ids";

/** One row. */
export const auditHeads = sqliteTable("audit_heads", {
  id: integer("id").primaryKey().notNull(),
  sequence: integer("sequence").notNull(),
  hash: text("hash").notNull(),
  prunedSequence: integer("pruned_sequence").notNull(),
  prunedHash: text("pruned_hash").notNull(),
  mac: text("mac").notNull(),
});

export const audit = sqliteTable(
  "audit",
  {
    sequence: integer("sequence").primaryKey({ autoIncrement: true }).notNull(),
    tenantId: text("tenant_id").$type<TenantId>(),
    atMs: integer("at_ms").notNull(),
    actor: text("actor").notNull(),
    action: text("action").notNull(),
    subject: text("subject").notNull(),
    details: text("details", { mode: "json" }).$type<Record<string, unknown>>().notNull(),
    requestId: text("request_id"),
    hash: text("hash"),
  },
  (t) => [
    index("audit_by_tenant").on(t.tenantId, t.sequence),
    index("audit_unsealed").on(t.sequence).where(sql`hash IS NULL`),
  ],
);
