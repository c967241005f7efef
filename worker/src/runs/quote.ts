import type { Quote } from "#contract/quote";
import type { CreateRun } from "#contract/run";
import type { Ctx } from "../context.ts";
import type { Db } from "../db/client.ts";
import { quote } from "../quota/quote.ts";
import { type DraftDeps, draftOf } from "./draft.ts";

/**
 * What a run would cost at most, and whether it would be admitted.
 * @throws AppError `template_not_found`, `limit_exceeded`, `no_capacity`
 */
export async function quoteRun(deps: DraftDeps & { db: Db }, ctx: Ctx, input: CreateRun): Promise<Quote> {
  const { admission } = await draftOf(deps, ctx, input);
  return quote(deps, ctx, admission);
}
