import { type ErrorCode, errorTable } from "#contract/errors";
import { type AppError, toAppError, toProblem } from "../errors.ts";
import type { HonoContext } from "./state.ts";

/** Where nothing better is known. */
const retryAfterSeconds = 1;
/** A server reads the rest of a refused body up to about here; past it, it cuts the connection. */
const drainableBytes = 16 * 1024;

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
      ...(leavesBody(c.req.raw, error.code) && { connection: "close" }),
      ...(errorTable[error.code].retryable && {
        "retry-after": String(retryAfter(error)),
      }),
      ...(error.code === "range_not_satisfiable" && {
        "content-range": `bytes */${error.facts?.size ?? "*"}`,
      }),
      ...(error.code === "unauthenticated" && { "www-authenticate": 'Bearer realm="sandgate"' }),
      ...(error.code === "method_not_allowed" && { allow: String(error.facts?.allow ?? "") }),
    },
  });
}

/** Whole seconds: earlier would be too early. */
export function retryAfter({ facts }: AppError): number {
  if (typeof facts?.retryAfterMs === "number") return Math.max(1, Math.ceil(facts.retryAfterMs / 1000));
  return Number(facts?.retryAfterSeconds ?? retryAfterSeconds);
}

/** Whether much of the body is still to come: a client that is told so sends nothing more on this connection. */
function leavesBody(request: Request, code: ErrorCode): boolean {
  if (code === "payload_too_large" || code === "request_timeout") return true;
  // A look at the body makes a whole request of what came, which most refusals have no use for.
  if (request.method === "GET" || request.method === "HEAD") return false;
  const declared = Number(request.headers.get("content-length") ?? Number.POSITIVE_INFINITY);
  return request.body !== null && !request.bodyUsed && declared > drainableBytes;
}
