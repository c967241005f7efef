import { and, desc, eq, gte, lt, type SQL, sql } from "drizzle-orm";
import { limits } from "#contract/limits";
import type { Db } from "../db/client.ts";
import { audit } from "../db/schema.ts";

export type StoredAudit = typeof audit.$inferSelect;
export type AuditFilters = {
  /** Whose; absent = of all, which is for the operator only. */
  tenantId?: string | undefined;
  action?: string | undefined;
  subject?: string | undefined;
  fromMs?: number | undefined;
  toMs?: number | undefined;
};
type Place = { sequence: number; atMs: number };

/** Clocks of several control planes differ, so rows are in the order of time up to this. */
const clockSlackMs = 3_600_000;

/**
 * One page, newest first, and where the next one begins. What is filtered by has no index, so only so many rows are
 * looked through: a page may be short, or empty, with more to come.
 */
export async function auditRows(
  db: Db,
  filters: AuditFilters,
  page: { limit: number; before: number | undefined },
): Promise<{ rows: StoredAudit[]; next?: Place }> {
  const listed = and(
    filters.tenantId === undefined ? undefined : sql`${audit.tenantId} = ${filters.tenantId}`,
    page.before === undefined ? undefined : lt(audit.sequence, page.before),
  );
  const wanted = conditionOf(filters);
  const last = wanted && (await lastScanned(db, listed));
  const rows = await db
    .select()
    .from(audit)
    .where(and(listed, wanted, last && gte(audit.sequence, last.sequence)))
    .orderBy(desc(audit.sequence))
    // One more than asked for tells whether there is another page.
    .limit(page.limit + 1);
  const shown = rows.slice(0, page.limit);
  const next = rows.length > page.limit ? shown.at(-1) : last;
  const isPast = next !== undefined && next.atMs < (filters.fromMs ?? 0) - clockSlackMs;
  return { rows: shown, ...(next && !isPast && { next: { sequence: next.sequence, atMs: next.atMs } }) };
}

function conditionOf({ action, subject, fromMs, toMs }: AuditFilters): SQL | undefined {
  return and(
    action === undefined ? undefined : eq(audit.action, action),
    subject === undefined ? undefined : eq(audit.subject, subject),
    fromMs === undefined ? undefined : gte(audit.atMs, fromMs),
    toMs === undefined ? undefined : lt(audit.atMs, toMs),
  );
}

async function lastScanned(db: Db, listed: SQL | undefined): Promise<Place | undefined> {
  const rows = await db
    .select({ sequence: audit.sequence, atMs: audit.atMs })
    .from(audit)
    .where(listed)
    .orderBy(desc(audit.sequence))
    .limit(1)
    .offset(limits.listScanMaxRows - 1);
  return rows[0];
}
