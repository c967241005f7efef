import type { PriceSheet } from "#contract/plan";
import { Month, type Statement, type StatementList } from "#contract/statement";
import type { Quantities } from "#contract/usage";
import type { Clock, Ctx } from "../context.ts";
import type { Db } from "../db/client.ts";
import { AppError } from "../errors.ts";
import { monthOf } from "../quota/month.ts";
import { addUp, billOf } from "./bill.ts";
import { groupParts } from "./group.ts";
import {
  findStatement,
  listStatementRows,
  type MonthPart,
  monthParts,
  openMonths,
  sheetsOf,
} from "./statement-store.ts";

type Deps = { db: Db; now: Clock };

/** Ten years, and as many months as can be open at once with a lot to spare. */
const closedMax = 120;
const openMax = 24;
/** Keys of one statement; the cheapest of more are put together. */
const keysShownMax = 1_000;

/** What a month comes to, by what was used in it: the same function for a draft and for what is closed. */
export function statementOf(
  month: string,
  parts: readonly MonthPart[],
  sheet: PriceSheet,
): { body: Statement; used: Quantities } {
  const priced = parts.map(({ quantities }) => ({ quantities, prices: sheet.prices }));
  const byTemplate = groupParts(
    parts.map(({ template, quantities }) => ({ label: template, quantities, prices: sheet.prices })),
    Number.POSITIVE_INFINITY,
  );
  const byKey = groupParts(
    parts.map(({ keyId, quantities }) => ({ label: keyId as string, quantities, prices: sheet.prices })),
    keysShownMax,
  );
  const names = new Map(parts.map(({ keyId, keyName }) => [keyId as string, keyName]));
  const used = addUp(priced);
  const body: Statement = {
    month,
    isDraft: true,
    plan: sheet.plan,
    overage: sheet.overage,
    currency: "USD",
    ...billOf(used, sheet),
    byTemplate: byTemplate.groups.map(({ label, ...share }) => ({ template: label, ...share })),
    byKey: [
      ...byKey.groups.map(({ label, ...share }) => ({
        keyId: label,
        name: names.get(label) ?? null,
        ...share,
      })),
      ...(byKey.others ? [{ keyId: "others", name: null, ...byKey.others }] : []),
    ],
  };
  return { body, used };
}

/**
 * The statement of a month, `current` for the one that runs: as it was closed, or a draft of what there is by now.
 * @throws AppError `statement_not_found` for a month that has not begun, or that nothing was used in
 */
export async function getStatement(
  { db, now }: Deps,
  { tenantId }: Pick<Ctx, "tenantId">,
  asked: string,
): Promise<Statement> {
  const current = monthOf(now());
  const month = asked === "current" ? current : asked;
  if (!Month.safeParse(month).success || month > current) throw statementNotFound();
  const closed = await findStatement(db, tenantId, month);
  if (closed) return closed;
  const [parts, sheetFor] = await Promise.all([monthParts(db, tenantId, month), sheetsOf(db, tenantId)]);
  const sheet = sheetFor(month);
  if (!sheet || (parts.length === 0 && month !== current)) throw statementNotFound();
  return statementOf(month, parts, sheet).body;
}

/** Every statement of a tenant in short, newest first, the draft of this month included. */
export async function listStatements(deps: Deps, ctx: Pick<Ctx, "tenantId">): Promise<StatementList> {
  const current = monthOf(deps.now());
  const [closed, open] = await Promise.all([
    listStatementRows(deps.db, ctx.tenantId, closedMax),
    openMonths(deps.db, ctx.tenantId, openMax),
  ]);
  const known = new Set(closed.map(({ month }) => month));
  const months = new Set([current, ...open].filter((month) => !known.has(month) && month <= current));
  const drafts = await Promise.all([...months].map((month) => getStatement(deps, ctx, month)));
  const items = [
    ...drafts.map(({ month, isDraft, closedAt, totalMicros }) => ({
      month,
      isDraft,
      ...(closedAt !== undefined && { closedAt }),
      totalMicros,
    })),
    ...closed.map(({ month, closedAtMs, totalMicros }) => ({
      month,
      isDraft: false,
      closedAt: new Date(closedAtMs).toISOString(),
      totalMicros,
    })),
  ];
  return { items: items.sort((a, b) => (a.month < b.month ? 1 : -1)) };
}

function statementNotFound(): AppError {
  return new AppError(
    "statement_not_found",
    "Nothing was used in this month, or it is no month such as 2026-01.",
  );
}
