import type { Ctx } from "../context.ts";
import type { Db } from "../db/client.ts";
import { AppError } from "../errors.ts";
import type { Size } from "./ask.ts";
import type { Need } from "./decide.ts";
import { readFacts } from "./facts-store.ts";
import { refusalOf } from "./refuse.ts";

type Wanted = {
  need: Need;
  size: Size;
  /** As if this one held nothing. */
  excluding?: string;
  /** What besides quotas and budgets may have forbidden it, by throwing. */
  explain?: (() => Promise<void>) | undefined;
};

const attemptsMax = 2;

/**
 * Has something admitted, or says why not. The reason is read after the refusal and may be gone by then: then it is tried
 * again, and no reason is given that the numbers do not bear out.
 * @param attempt the batch; whether it was admitted. `isUnmetered` = as `Admission` says
 * @throws AppError `budget_exceeded`, `quota_exceeded`, `forbidden`; `conflict` when the reason was gone twice
 */
export async function admit(
  deps: { db: Db },
  ctx: Ctx,
  { need, size, excluding, explain }: Wanted,
  attempt: (isUnmetered: boolean) => Promise<boolean>,
): Promise<void> {
  for (let attempts = 1; attempts <= attemptsMax; attempts++) {
    if (await attempt(ctx.isUnmetered && attempts === 1)) return;
    await explain?.();
    const when = { keyId: ctx.keyId, atMs: need.atMs, ...(excluding !== undefined && { excluding }) };
    const facts = await readFacts(deps.db, ctx.tenantId, when);
    const refusal = facts && refusalOf(facts, need, size);
    if (refusal) throw refusal;
  }
  throw new AppError("conflict", "What this tenant uses is changing at this moment. Ask again.");
}
