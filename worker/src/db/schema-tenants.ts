import { sql } from "drizzle-orm";
import { index, integer, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import type { Scope } from "#contract/api";
import type { KeyId, TenantId } from "#contract/ids";
import type { KeyRate, LimitOverrides, Plan } from "#contract/plan";

export const plans = sqliteTable("plans", {
  name: text("name").primaryKey().notNull(),
  definition: text("definition", { mode: "json" }).$type<Plan>().notNull(),
  updatedAtMs: integer("updated_at_ms").notNull(),
});

export const tenants = sqliteTable(
  "tenants",
  {
    id: text("id").$type<TenantId>().primaryKey().notNull(),
    name: text("name").notNull(),
    createdAtMs: integer("created_at_ms").notNull(),
    suspendedAtMs: integer("suspended_at_ms"),
    plan: text("plan").notNull().default("scale"),
    overrides: text("overrides", { mode: "json" }).$type<LimitOverrides>().notNull().default({}),
    monthlyCapMicros: integer("monthly_cap_micros"),
    deletedAtMs: integer("deleted_at_ms"),
    removalBeganAtMs: integer("removal_began_at_ms"),
    removedAtMs: integer("removed_at_ms"),
  },
  (t) => [
    uniqueIndex("tenants_by_name").on(t.name),
    index("tenants_by_age").on(t.createdAtMs, t.id),
    index("tenants_by_plan").on(t.plan),
    index("tenants_to_remove")
      .on(t.deletedAtMs)
      .where(sql`deleted_at_ms IS NOT NULL AND removed_at_ms IS NULL`),
  ],
);

/** Whose a row is. */
export const tenantId = () =>
  text("tenant_id")
    .$type<TenantId>()
    .notNull()
    .references(() => tenants.id);

export const keys = sqliteTable(
  "keys",
  {
    id: text("id").$type<KeyId>().primaryKey().notNull(),
    tenantId: tenantId(),
    hash: text("hash").notNull(),
    prefix: text("prefix").notNull(),
    name: text("name").notNull(),
    scopes: text("scopes", { mode: "json" }).$type<Scope[]>().notNull(),
    createdAtMs: integer("created_at_ms").notNull(),
    expiresAtMs: integer("expires_at_ms"),
    revokedAtMs: integer("revoked_at_ms"),
    lastUsedAtMs: integer("last_used_at_ms"),
    templates: text("templates", { mode: "json" }).$type<string[]>(),
    monthlyCapMicros: integer("monthly_cap_micros"),
    rate: text("rate", { mode: "json" }).$type<KeyRate>(),
  },
  (t) => [uniqueIndex("keys_by_hash").on(t.hash), index("keys_by_tenant").on(t.tenantId, t.createdAtMs)],
);
