import { type SQL, sql } from "drizzle-orm";
import type { RunId, SandboxId, TenantId } from "#contract/ids";
import { limits } from "#contract/limits";
import { quantityNames } from "#contract/usage";
import type { Db } from "../db/client.ts";
import type { Statement } from "../db/rider.ts";
import { type Ask, needOf } from "./ask.ts";
import { dayOf, monthOf } from "./month.ts";
import { reserveStatement } from "./store.ts";
import { askedOf, countedOf, fits, isUnmetered, sumsOf, termsOf } from "./terms-store.ts";
import { units } from "./units.ts";

/** What is admitted under these ids, one for each that is asked for: sandboxes, or a run that has no sandbox yet. */
export type Admission = Ask & {
  slots: readonly { id: string; sandboxId: SandboxId | RunId; expiresAtMs: number }[];
  generation: number;
  template: string;
  metadata: Record<string, string>;
  /**
   * Nothing but counts is known to limit the tenant, so the statement looks at no hold. Where that is not so by now it
   * admits nothing, and the longer one must be asked.
   */
  isUnmetered: boolean;
};

/**
 * Takes slots, holds and counts for all that is asked, or nothing at all: the second statement decides, and what
 * follows holds on to its rows. It reads what it decides by inside the write transaction, so parallel takers cannot
 * both get the last, and no replica is ever asked.
 * @param condition what else must hold
 */
export function admitStatements(
  db: Db,
  tenantId: TenantId,
  admission: Admission,
  condition: SQL = sql`TRUE`,
): [sheet: Statement, hold: Statement, slot: Statement, count: Statement] {
  const { slots, createdAtMs, count } = admission;
  const isHeld = isHeldAs(tenantId, slots[0]?.sandboxId ?? "");
  return [
    sheetStatement(db, tenantId, monthOf(createdAtMs)),
    holdStatement(db, tenantId, admission, condition),
    reserveStatement(db, tenantId, slots, isHeld),
    db.run(sql`
      INSERT INTO creates_by_day (tenant_id, day, creates)
      SELECT ${tenantId}, ${dayOf(createdAtMs)}, ${count} WHERE ${isHeld}
      ON CONFLICT (tenant_id, day) DO UPDATE SET creates = creates + excluded.creates`),
  ];
}

/** What follows an admission in its batch depends on this. */
export const isHeldAs = (tenantId: TenantId, id: SandboxId | RunId | ""): SQL =>
  sql`EXISTS (SELECT 1 FROM holds WHERE sandbox_id = ${id} AND tenant_id = ${tenantId} AND settled_at_ms IS NULL)`;

/** The first use of a month fixes what all of it is billed by. */
function sheetStatement(db: Db, tenantId: TenantId, month: string): Statement {
  return db.run(sql`
    INSERT INTO price_sheets (tenant_id, month, sheet)
    SELECT tenant_id, ${month}, sheet FROM tenant_plans
    WHERE tenant_id = ${tenantId}
      AND NOT EXISTS (SELECT 1 FROM price_sheets WHERE tenant_id = ${tenantId} AND month = ${month})`);
}

const needColumns = sql.raw(
  ["value->>'count' AS count, value->>'capMicros' AS cap_micros"]
    .concat(units.map(({ column }) => `value->>'${column}' AS n_${column}`))
    .join(", "),
);
const noneUsed = sql.raw(units.map(({ column }) => `0 AS used_${column}`).join(", "));

function holdStatement(db: Db, tenantId: TenantId, admission: Admission, condition: SQL): Statement {
  const { keyId, createdAtMs, slots, count, capMicros } = admission;
  const need = needOf(admission);
  const whose = { tenantId, keyId, month: monthOf(createdAtMs) };
  // As JSON, since numbers that are bound by themselves arrive as floating point, and prices would be rounded by it.
  const amounts = Object.fromEntries(units.map(({ name, column }) => [column, need[name]]));
  const needed = JSON.stringify([{ ...amounts, count, capMicros }]);
  const metered = sql`, ${countedOf(whose)}, ${sumsOf},
    need AS (SELECT ${needColumns}, ${noneUsed} FROM json_each(${needed})),
    ${askedOf}`;
  const [cpuMs, memory, disk, egress, paused] = quantityNames.map((name) => need[name]);
  return db.run(sql`
    WITH ${termsOf(whose)} ${admission.isUnmetered ? sql`` : metered}
    INSERT INTO holds (sandbox_id, generation, tenant_id, key_id, template, metadata, lifetime_seconds, cpu_ms,
      memory_mib_seconds, disk_mib_seconds, egress_kib, paused_mib_seconds, cap_micros, created_at_ms, expires_at_ms)
    SELECT value->>'sandboxId', ${admission.generation}, ${tenantId}, ${keyId}, ${admission.template},
      ${JSON.stringify(admission.metadata)}, ${admission.lifetimeSeconds}, ${cpuMs}, ${memory}, ${disk}, ${egress},
      ${paused}, ${capMicros}, ${createdAtMs}, value->>'expiresAtMs'
    FROM ${sql.raw(admission.isUnmetered ? "terms" : "asked")}, json_each(${JSON.stringify(slots)})
    WHERE ${countsFit(tenantId, admission)}
      AND ${admission.isUnmetered ? isUnmetered : fits}
      AND ${condition}`);
}

/** Sandboxes at once and in a day, and, of a run, runs at once and what is kept of them. */
function countsFit(tenantId: TenantId, { createdAtMs, count, isRun }: Ask): SQL {
  const unended = sql`
    (SELECT count(*) FROM runs WHERE tenant_id = ${tenantId} AND state IN ('queued', 'leased', 'running'))`;
  const runsFit = sql`
    AND ${unended} < l->>'concurrentRuns'
    AND ifnull((SELECT bytes FROM stored_output WHERE tenant_id = ${tenantId}), 0)
      + (${unended} + 1) * ${2 * limits.runOutputMaxBytes} <= l->>'storedBytes'`;
  return sql`
    (SELECT count(*) FROM reservations WHERE tenant_id = ${tenantId} AND released_at_ms IS NULL) + ${count}
      <= l->>'concurrentSandboxes'
    AND ifnull((SELECT creates FROM creates_by_day WHERE tenant_id = ${tenantId} AND day = ${dayOf(createdAtMs)}), 0)
      + ${count} <= l->>'createsPerDay' ${isRun ? runsFit : sql``}`;
}
