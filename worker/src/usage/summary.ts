import { metadataPrefix } from "#contract/page";
import type { UsageQuery, UsageSummary } from "#contract/usage-summary";
import type { Clock, Ctx } from "../context.ts";
import type { Db } from "../db/client.ts";
import { AppError } from "../errors.ts";
import { monthOf } from "../quota/month.ts";
import { compare, groupParts } from "./group.ts";
import { sheetsOf } from "./statement-store.ts";
import { type GroupKey, type Span, usageRows } from "./summary-store.ts";

type Deps = { db: Db; now: Clock; usageRowsMax?: number };

const groupsMax = 1_000;
/** Rows that one question may look at, which takes a second; more of them are for a shorter span. */
const rowsMax = 200_000;

/**
 * What was used and what it costs at list prices: of a month, whose sums are those of its statement, or of days.
 * @throws AppError `invalid_request` where too much would have to be looked through
 */
export async function usageSummary(
  { db, now, usageRowsMax = rowsMax }: Deps,
  { tenantId }: Pick<Ctx, "tenantId">,
  query: UsageQuery,
): Promise<UsageSummary> {
  const { from, to, groupBy = "day" } = query;
  const isOfDays = from !== undefined && to !== undefined;
  const month = query.month ?? monthOf(now());
  const span: Span = isOfDays ? { fromHour: from, toHour: to } : { month };
  const [rows, sheetFor] = await Promise.all([
    usageRows(db, tenantId, { span, by: keyOf(groupBy), rowsMax: usageRowsMax }),
    sheetsOf(db, tenantId),
  ]);
  if (!rows) throw tooMuch();
  const parts = rows.flatMap(({ label, month: billedIn, ...quantities }) => {
    const sheet = sheetFor(billedIn);
    return sheet ? [{ label, quantities, prices: sheet.prices }] : [];
  });
  const { groups, ...sum } = groupParts(parts, groupsMax);
  if (groupBy === "day") groups.sort((a, b) => compare(a.label ?? "", b.label ?? ""));
  return {
    ...(isOfDays ? { from, to } : { month }),
    groupBy,
    groups: groups.map(({ label, ...share }) => ({ group: label, ...share })),
    ...sum,
  };
}

function keyOf(groupBy: string): GroupKey {
  if (groupBy.startsWith(metadataPrefix)) return { label: groupBy.slice(metadataPrefix.length) };
  // The contract lets nothing else through.
  return groupBy as "day" | "template" | "key";
}

const tooMuch = () =>
  new AppError("invalid_request", "This is too much to look through at once. Ask for fewer days.", {
    issues: [{ path: "from", message: "must be nearer to `to`" }],
  });
