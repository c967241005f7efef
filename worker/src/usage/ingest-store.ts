import type { ResultSet } from "@libsql/client";
import { type SQL, sql } from "drizzle-orm";
import type { HostId } from "#contract/ids";
import { priceOf, unitsPerPrice } from "#contract/price";
import { type Quantities, quantityNames, type UsageEvent } from "#contract/usage";
import type { Db } from "../db/client.ts";
import type { Statement } from "../db/rider.ts";
import { columnOf, columns, sumsInto } from "./sums-store.ts";

export type Reported = UsageEvent & { id: string };
export type Ingested = {
  /** What went on record, as it is billed. */
  recorded: { id: string; quantities: Quantities; isWrittenOff: boolean }[];
  /** Ids of events about sandboxes that nothing is held for. */
  unknown: string[];
};

const unknownShownMax = 20;

/**
 * Puts events of one host on record and adds them up, all in one write: whoever they belong to is what our own row of
 * the sandbox says. What is there already changes nothing, so repeats, order and delay do not matter.
 */
export async function ingestEvents(
  db: Db,
  events: readonly Reported[],
  { hostId, nowMs }: { hostId: HostId; nowMs: number },
): Promise<Ingested> {
  const reported = JSON.stringify(events.map(rowOf));
  const warnings = JSON.stringify(events.filter((event) => event.isBudgetWarning).map(({ id }) => id));
  const batch: [Statement, ...Statement[]] = [
    db.run(insertStatement(reported, nowMs)),
    // The month of a life that goes on over its beginning may have no sheet yet.
    db.run(sql`
      INSERT OR IGNORE INTO price_sheets (tenant_id, month, sheet)
      SELECT DISTINCT e.tenant_id, e.month, p.sheet
      FROM usage_events e JOIN tenant_plans p ON p.tenant_id = e.tenant_id WHERE e.applied_at_ms IS NULL`),
    db.run(sumsInto("usage_hours", newEvents)),
    db.run(sumsInto("usage_months", newEvents)),
    db.run(chargeHolds),
    db.run(sql`
      UPDATE holds SET settled_at_ms = ${nowMs}
      WHERE settled_at_ms IS NULL AND events_seen = events_expected
        AND sandbox_id IN (SELECT sandbox_id FROM usage_events WHERE applied_at_ms IS NULL)`),
    db.run(sql`
      INSERT INTO audit (tenant_id, at_ms, actor, action, subject, details)
      SELECT e.tenant_id, ${nowMs}, ${`host:${hostId}`}, 'budget.warning', e.sandbox_id,
        json_object('capMicros', h.cap_micros)
      FROM json_each(${warnings}) w JOIN usage_events e ON e.id = w.value
        JOIN holds h ON h.sandbox_id = e.sandbox_id
      WHERE e.applied_at_ms IS NULL`),
    db.run(sql`UPDATE usage_events SET applied_at_ms = ${nowMs} WHERE applied_at_ms IS NULL`),
    db.run(sql`
      SELECT r.value ->> 'id' AS id FROM json_each(${reported}) r
      WHERE NOT EXISTS (SELECT 1 FROM holds h
        WHERE h.sandbox_id = r.value ->> 'sandbox_id' AND h.generation = r.value ->> 'generation')
      LIMIT ${unknownShownMax}`),
  ];
  const results = await db.batch(batch);
  const [inserted] = results;
  return { recorded: inserted.rows.map(recordedOf), unknown: (results.at(-1)?.rows ?? []).map(idOf) };
}

const newEvents = sql.raw("applied_at_ms IS NULL AND is_written_off = 0");

/** The names are the columns'. */
function rowOf({ id, sandboxId, generation, sequence, fromMs, toMs, quantities, isFinal }: Reported) {
  const amounts = Object.fromEntries(quantityNames.map((name) => [columnOf[name], quantities[name]]));
  const times = { from_ms: fromMs, to_ms: Math.max(fromMs, toMs) };
  return {
    id,
    sandbox_id: sandboxId,
    generation,
    sequence,
    ...times,
    is_final: isFinal ? 1 : 0,
    ...amounts,
  };
}

const each = (make: (column: string) => string, separator = ", ") => columns.map(make).join(separator);
const scalars = "id sandbox_id generation sequence from_ms to_ms is_final".split(" ");

/**
 * Where a clock is wrong, an event is placed into the life that we know of; where its month is closed, into the first
 * that is open. The last defence of a hold: no more than it has left is recorded, and nothing past a cap.
 */
function insertStatement(reported: string, nowMs: number): SQL {
  return sql`
    WITH reported AS (
      SELECT ${sql.raw([...scalars, ...columns].map((name) => `value ->> '${name}' AS ${name}`).join(", "))}
      FROM json_each(${reported})
    ), known AS (
      SELECT r.*, h.tenant_id, h.key_id, h.template, h.metadata, h.cap_micros,
        h.settled_at_ms IS NOT NULL AS is_written_off,
        max(h.created_at_ms, min(r.from_ms, h.expires_at_ms)) / 1000 AS placed_seconds,
        ${sql.raw(each((c) => `h.${c} AS held_${c}, h.used_${c} + sum(r.${c}) OVER upto AS total_${c}`))},
        (SELECT sheet FROM price_sheets WHERE tenant_id = h.tenant_id
          AND month = strftime('%Y-%m', h.created_at_ms / 1000, 'unixepoch')) AS sheet
      FROM reported r JOIN holds h ON h.sandbox_id = r.sandbox_id AND h.generation = r.generation
      WHERE NOT EXISTS (SELECT 1 FROM usage_events WHERE id = r.id)
      WINDOW upto AS (PARTITION BY r.sandbox_id ORDER BY r.sequence)
    ), limited AS (
      SELECT *, cap_micros IS NOT NULL AND sheet IS NOT NULL AND ${sql.raw(totalCost)} > cap_micros AS is_past_cap
      FROM known
    )
    INSERT OR IGNORE INTO usage_events (id, sandbox_id, generation, sequence, tenant_id, key_id, template, metadata,
      from_ms, to_ms, hour, month, ${sql.raw(columns.join(", "))}, is_final, is_written_off, received_at_ms)
    SELECT id, sandbox_id, generation, sequence, tenant_id, key_id, template, metadata, from_ms, to_ms,
      strftime('%Y-%m-%dT%H', placed_seconds, 'unixepoch'),
      max(strftime('%Y-%m', placed_seconds, 'unixepoch'), coalesce((
        SELECT strftime('%Y-%m', max(month) || '-01', '+1 month') FROM statements s
        WHERE s.tenant_id = limited.tenant_id), '')),
      ${sql.raw(each(clampedAmount))}, is_final, is_written_off, ${nowMs}
    FROM limited WHERE TRUE
    RETURNING id, is_written_off, ${sql.raw(columns.join(", "))}`;
}

const totalCost = quantityNames
  .map((name) => {
    const unit = unitsPerPrice[name];
    return `(total_${columnOf[name]} * (sheet ->> '$.prices.${priceOf[name]}') + ${unit - 1}) / ${unit}`;
  })
  .join(" + ");

const clampedAmount = (c: string) => `CASE
  WHEN is_written_off THEN ${c}
  WHEN is_past_cap THEN 0
  WHEN cap_micros IS NOT NULL THEN ${c}
  ELSE max(0, min(${c}, held_${c} - (total_${c} - ${c}))) END`;

const chargeHolds = sql`
  UPDATE holds SET ${sql.raw(each((c) => `used_${c} = used_${c} + new.${c}`))},
    events_seen = events_seen + new.events, events_expected = coalesce(new.expected, events_expected)
  FROM (
    SELECT sandbox_id, ${sql.raw(each((c) => `sum(${c}) AS ${c}`))}, count(*) AS events,
      max(CASE WHEN is_final THEN sequence END) AS expected
    FROM usage_events WHERE ${newEvents} GROUP BY sandbox_id
  ) AS new
  WHERE holds.sandbox_id = new.sandbox_id`;

type Row = ResultSet["rows"][number];
const idOf = (row: Row) => String(row.id);

function recordedOf(row: Row): Ingested["recorded"][number] {
  const amounts = quantityNames.map((name) => [name, Number(row[columnOf[name]])]);
  // Every name of the type is in the list that it was made from.
  const quantities = Object.fromEntries(amounts) as Quantities;
  return { id: idOf(row), quantities, isWrittenOff: row.is_written_off === 1 };
}
