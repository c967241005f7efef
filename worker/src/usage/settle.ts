import type { Clock } from "../context.ts";
import type { Db } from "../db/client.ts";
import { pruneLedger, settleOverdue } from "./settle-store.ts";

/** How long after its deadline the last events of a sandbox are waited for; what comes later is written off. */
export const settlementMs = 24 * 3_600_000;
/** Bills of a year are made of these, and one month is being disputed. */
const ledgerMonths = 13;
const rowsMax = 1_000;
const roundsMax = 20;

/** The first month of UTC that the ledger still has whole. */
export function firstMonthKept(nowMs: number): string {
  const now = new Date(nowMs);
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - ledgerMonths)).toISOString().slice(0, 7);
}

/** Settles what nobody can still be expected to report, and forgets what is older than any bill that is asked about. */
export async function settle(deps: { db: Db; now: Clock }) {
  const nowMs = deps.now();
  const overdueBeforeMs = nowMs - settlementMs;
  let settled = 0;
  for (let round = 0; round < roundsMax; round++) {
    const count = await settleOverdue(deps.db, { overdueBeforeMs, nowMs, rowsMax });
    settled += count;
    if (count < rowsMax) break;
  }
  const month = firstMonthKept(nowMs);
  const settledBeforeMs = Date.parse(`${month}-01T00:00:00Z`);
  return { settled, pruned: await pruneLedger(deps.db, { month, settledBeforeMs, rowsMax }) };
}
