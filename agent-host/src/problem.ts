import { errorTable, type Problem } from "#contract/errors";
import type { HostError } from "./errors.ts";

/** A refusal in the form that every error answer has. */
export function problemOf(error: HostError, requestId: string): Problem {
  const { status, title, retryable } = errorTable[error.code];
  return {
    type: `urn:sandgate:error:${error.code}`,
    title,
    status,
    detail: error.message,
    code: error.code,
    requestId,
    retryable,
    ...(error.facts && { facts: error.facts }),
  };
}
