import { errorTable } from "#contract/errors";
import { toAppError, toProblem } from "../errors.ts";
import type { HonoContext } from "./state.ts";

const retryAfterSeconds = "1";

/** Answers whatever was thrown as problem details; what is not meant for the caller goes to the log event only. */
export function answerProblem(c: HonoContext, thrown: unknown): Response {
  const error = toAppError(thrown);
  const state = c.get("state");
  state.code = error.code;
  if (error.cause !== undefined) state.cause = error.cause;
  const problem = toProblem(error, state.ctx.requestId);
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: {
      "content-type": "application/problem+json",
      "x-content-type-options": "nosniff",
      ...(errorTable[error.code].retryable && { "retry-after": retryAfterSeconds }),
      ...(error.code === "unauthenticated" && { "www-authenticate": 'Bearer realm="sandgate"' }),
      ...(error.code === "method_not_allowed" && { allow: String(error.facts?.allow ?? "") }),
    },
  });
}
