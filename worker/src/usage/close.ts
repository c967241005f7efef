import type { TenantId } from "#contract/ids";
import type { PriceSheet } from "#contract/plan";
import type { Clock } from "../context.ts";
import type { Db } from "../db/client.ts";
import type { Log } from "../log.ts";
import { monthOf } from "../quota/month.ts";
import { statementOf } from "./statement.ts";
import {
  type Closing,
  closeStatements,
  monthParts,
  monthsToClose,
  openTenants,
  tenantsToClose,
} from "./statement-store.ts";

type Deps = { db: Db; log: Log; now: Clock };

const hourMs = 3_600_000;
/**
 * From a month's end until it is closed. A sandbox that was made in its last second may live for 24 hours, and its hold
 * is settled within 24 more; an hour is for sweeps that come late. What comes later still, of longer lives, is billed in
 * the month that is open by then.
 */
export const closeAfterMs = 49 * hourMs;

const tenantsPerSweep = 100;
const monthsPerSweep = 24;
const idsLoggedMax = 20;

/**
 * Closes what is due of the oldest month that is not closed for everybody: a bounded number of tenants per sweep. A
 * tenant without readable prices is logged and left open, and holds up no other: where there are only such, the next
 * month's turn comes. How many were closed.
 */
export async function closeMonths({ db, log, now }: Deps): Promise<number> {
  const nowMs = now();
  for (const month of await monthsToClose(db, lastMonthDue(nowMs), monthsPerSweep)) {
    const due = await tenantsToClose(db, month, tenantsPerSweep);
    const unpriced = due.length > 0 ? [] : await openTenants(db, month, idsLoggedMax);
    if (unpriced.length === 0)
      return closeStatements(db, month, await closingsOf(db, month, due, nowMs), nowMs);
    log({ level: "error", event: "month_without_prices", month, ids: unpriced });
  }
  return 0;
}

type Due = { tenantId: TenantId; sheet: PriceSheet };

async function closingsOf(db: Db, month: string, due: readonly Due[], nowMs: number): Promise<Closing[]> {
  const ids = due.map(({ tenantId }) => tenantId);
  const parts = await monthParts(db, ids, month);
  const closedAt = new Date(nowMs).toISOString();
  return due.map(({ tenantId, sheet }): Closing => {
    const { body, used } = statementOf(
      month,
      parts.filter((part) => part.tenantId === tenantId),
      sheet,
    );
    const { isDraft: _draft, month: of, ...rest } = body;
    return { tenantId, used, body: { month: of, isDraft: false, closedAt, ...rest } };
  });
}

/** The newest month that has ended so long ago. */
export function lastMonthDue(nowMs: number): string {
  const at = new Date(nowMs - closeAfterMs);
  return monthOf(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() - 1));
}
