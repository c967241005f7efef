import { costMicros, worstCase } from "#contract/price";
import type { Quote } from "#contract/quote";
import { noQuantities } from "#contract/usage";
import type { Ctx } from "../context.ts";
import type { Db } from "../db/client.ts";
import { AppError, statusOf } from "../errors.ts";
import { type Ask, needFor, needOf } from "./ask.ts";
import { addedBy, moneyOf } from "./decide.ts";
import { readFacts } from "./facts-store.ts";
import { refusalOf } from "./refuse.ts";
import { includedOf, ofEach } from "./units.ts";

const hourSeconds = 3600;

/** What something would cost at most and whether it would be admitted. One read; nothing is changed or remembered. */
export async function quote(deps: { db: Db }, ctx: Ctx, ask: Ask): Promise<Quote> {
  const { keyId, createdAtMs, size, count, capMicros } = ask;
  const facts = await readFacts(deps.db, ctx.tenantId, { keyId, atMs: createdAtMs });
  if (!facts) throw new AppError("unauthenticated", "The tenant of this key is gone.");
  const { sheet, tenant } = facts;
  const each = needOf(ask);
  const all = ofEach(({ name }) => count * each[name]);
  const capped = (micros: number) => Math.min(micros, capMicros === null ? micros : count * capMicros);
  const anHour = worstCase(size, hourSeconds);
  const need = needFor(ask);
  const added = addedBy(facts, need);
  const refusal = refusalOf(facts, need, size);
  return {
    holdMicros: capped(moneyOf(tenant, { added, sheet, included: includedOf(sheet) }).needed),
    listMicros: capped(costMicros(all, sheet.prices)),
    perHourMicros: costMicros(
      ofEach(({ name }) => count * anHour[name]),
      sheet.prices,
    ),
    quantities: { ...noQuantities, ...all },
    prices: sheet.prices,
    fits: refusal === null,
    ...(refusal && {
      refusal: {
        code: refusal.code,
        status: statusOf(refusal.code),
        detail: refusal.message,
        ...(refusal.facts && { facts: refusal.facts }),
      },
    }),
  };
}
