import { sql } from "drizzle-orm";
import type { KeyId, TenantId } from "#contract/ids";
import { PriceSheet, readLimits, type TenantLimits } from "#contract/plan";
import type { Quantities } from "#contract/usage";
import type { Db } from "../db/client.ts";
import { dayOf, monthOf } from "./month.ts";
import { countedOf, termsOf } from "./terms-store.ts";
import { ofEach, units } from "./units.ts";

/** What a cap is compared with; amounts of the month. */
export type Account = {
  capMicros: number | null;
  used: Quantities;
  /** Of open holds without a cap of their own, what has not been used. */
  held: Quantities;
  /** Of those with one, the money. */
  heldMicros: number;
};

/** All that admission decides by, as one read saw it. It may be old by now: what it says explains and decides nothing. */
export type Facts = {
  isSuspended: boolean;
  limits: TenantLimits;
  sheet: PriceSheet;
  slots: number;
  createsToday: number;
  unendedRuns: number;
  storedBytes: number;
  tenant: Account;
  key: Account;
};

type Row = Record<string, number | null> & { l: string; s: string };
type When = { keyId: KeyId; atMs: number /** As if this one held nothing. */; excluding?: string };

const sumOf = (prefix: string, weight: string) =>
  units.map(({ column }) => `ifnull(sum(${column} * ${weight}), 0) AS ${prefix}${column}`).join(", ");
const sums = sql.raw(
  [
    sumOf("u_", "(1 - h)"),
    sumOf("h_", "h"),
    sumOf("uk_", "(1 - h) * k"),
    sumOf("hk_", "h * k"),
    "ifnull(sum(money), 0) AS money, ifnull(sum(money * k), 0) AS k_money",
  ].join(", "),
);

/** `undefined` = there is no such tenant. */
export async function readFacts(
  db: Db,
  tenantId: TenantId,
  { keyId, atMs, excluding }: When,
): Promise<Facts | undefined> {
  const whose = { tenantId, keyId, month: monthOf(atMs) };
  // In parentheses, so that it is known for a read by its first word.
  const rows = await db.all<Row>(sql`
    SELECT * FROM (WITH ${termsOf(whose, true)}, ${countedOf(whose, excluding)}
      SELECT l, s, tenant_cap, key_cap, coalesce(suspended_at_ms, deleted_at_ms) AS closed_at_ms,
        (SELECT count(*) FROM reservations WHERE tenant_id = ${tenantId} AND released_at_ms IS NULL) AS slots,
        ifnull((SELECT creates FROM creates_by_day WHERE tenant_id = ${tenantId} AND day = ${dayOf(atMs)}), 0) AS creates,
        (SELECT count(*) FROM runs WHERE tenant_id = ${tenantId} AND state IN ('queued', 'leased', 'running')) AS runs,
        ifnull((SELECT bytes FROM stored_output WHERE tenant_id = ${tenantId}), 0) AS stored, summed.*
      FROM rates, (SELECT ${sums} FROM counted) AS summed)`);
  const [row] = rows;
  return row && factsOf(row);
}

function factsOf(row: Row): Facts {
  const amount = (name: string) => row[name] ?? 0;
  const quantities = (prefix: string) => ofEach(({ column }) => amount(`${prefix}${column}`));
  return {
    isSuspended: row.closed_at_ms !== null,
    limits: readLimits(row.l),
    sheet: PriceSheet.parse(JSON.parse(row.s)),
    slots: amount("slots"),
    createsToday: amount("creates"),
    unendedRuns: amount("runs"),
    storedBytes: amount("stored"),
    tenant: {
      capMicros: row.tenant_cap ?? null,
      used: quantities("u_"),
      held: quantities("h_"),
      heldMicros: amount("money"),
    },
    key: {
      capMicros: row.key_cap ?? null,
      used: quantities("uk_"),
      held: quantities("hk_"),
      heldMicros: amount("k_money"),
    },
  };
}
