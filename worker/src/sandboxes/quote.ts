import type { Quote } from "#contract/quote";
import type { CreateSandbox } from "#contract/sandbox";
import type { Ctx } from "../context.ts";
import type { Db } from "../db/client.ts";
import { checkCeilings } from "../quota/ceilings.ts";
import { quote } from "../quota/quote.ts";
import { type DraftDeps, draftOf } from "./draft.ts";
import { askOf } from "./insert-store.ts";

/**
 * What so many sandboxes of this kind would cost at most, and whether they would be admitted.
 * @throws AppError `template_not_found`, `limit_exceeded`
 */
export async function quoteSandboxes(
  deps: DraftDeps & { db: Db },
  ctx: Ctx,
  { count = 1, ...input }: CreateSandbox & { count?: number },
): Promise<Quote> {
  const draft = await draftOf(deps, ctx, input);
  checkCeilings(ctx.limits, draft);
  return quote(deps, ctx, askOf(draft, ctx.keyId, count));
}
