import type { Clock } from "../context.ts";
import type { Db } from "../db/client.ts";
import { monthOf } from "../quota/month.ts";
import { statementOf } from "./statement.ts";
import {
  type Closing,
  closeStatements,
  monthParts,
  oldestOpenMonth,
  tenantsToClose,
} from "./statement-store.ts";

type Deps = { db: Db; now: Clock };

const hourMs = 3_600_000;
/**
 * From a month's end until it is closed. A sandbox that was made in its last second may live for 24 hours, and its hold
 * is settled within 24 more; an hour is for sweeps that come late. What comes later still, of longer lives, is billed in
 * the month that is open by then.
 */
export const closeAfterMs = 49 * hourMs;

const tenantsPerSweep = 100;

/** Closes what is due of the oldest month that is not closed for everybody: a bounded number of tenants per sweep. */
export async function closeMonths({ db, now }: Deps): Promise<number> {
  const nowMs = now();
  const month = await oldestOpenMonth(db, lastMonthDue(nowMs));
  if (month === undefined) return 0;
  const due = await tenantsToClose(db, month, tenantsPerSweep);
  const ids = due.map(({ tenantId }) => tenantId);
  const parts = await monthParts(db, ids, month);
  const closings = due.map(({ tenantId, sheet }): Closing => {
    const { body, used } = statementOf(
      month,
      parts.filter((part) => part.tenantId === tenantId),
      sheet,
    );
    const closedAt = new Date(nowMs).toISOString();
    const { isDraft: _draft, month: of, ...rest } = body;
    return { tenantId, used, body: { month: of, isDraft: false, closedAt, ...rest } };
  });
  return closeStatements(db, month, closings, nowMs);
}

/** The newest month that has ended so long ago. */
export function lastMonthDue(nowMs: number): string {
  const at = new Date(nowMs - closeAfterMs);
  return monthOf(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() - 1));
}
