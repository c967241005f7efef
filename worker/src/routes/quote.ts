import { Quote } from "#contract/quote";
import type { MountDeps } from "./mount.ts";

/** The answer of a row with `orQuote`, in place of its own. */
export async function answerQuote(
  { isCheckingResults }: Pick<MountDeps, "isCheckingResults">,
  quoted: Promise<Quote>,
): Promise<Response> {
  const quote = await quoted;
  if (isCheckingResults) Quote.parse(quote);
  return Response.json(quote, { headers: { "x-content-type-options": "nosniff" } });
}
