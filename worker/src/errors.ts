import { type ErrorCode, errorTable, type Problem } from "#contract/errors";
import { type Resource, resources } from "#contract/resources";

export type Issue = { path: string; message: string };
export type Facts = Record<string, string | number | boolean>;
type Extras = {
  cause?: unknown;
  facts?: Facts;
  issues?: Issue[];
  /** The work may have been done all the same: what was reserved for it must not be given back yet. */
  isOutcomeUnknown?: boolean;
};

/** A refusal that the caller may read; the cause goes to the log only. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly facts: Facts | undefined;
  readonly issues: Issue[] | undefined;
  readonly isOutcomeUnknown: boolean;

  constructor(code: ErrorCode, sentence: string, extras: Extras = {}) {
    super(sentence, extras.cause === undefined ? undefined : { cause: extras.cause });
    this.name = "AppError";
    this.code = code;
    this.facts = extras.facts;
    this.issues = extras.issues;
    this.isOutcomeUnknown = extras.isOutcomeUnknown ?? false;
  }
}

const internalSentence = "Something failed on our side. Give the request id when you ask about it.";

/** Whatever was thrown, as something that may be answered: what is not ours to show becomes `internal`. */
export function toAppError(error: unknown): AppError {
  const known = appErrorIn(error);
  if (known) return known;
  return new AppError("internal", internalSentence, { cause: error });
}

export const statusOf = (code: ErrorCode): number => errorTable[code].status;

export function toProblem(error: AppError, requestId: string): Problem {
  const row = errorTable[error.code];
  return {
    type: `urn:sandgate:error:${error.code}`,
    title: row.title,
    status: row.status,
    detail: error.message,
    code: error.code,
    requestId,
    retryable: row.retryable,
    ...(error.issues && { issues: error.issues }),
    ...(error.facts && { facts: error.facts }),
  };
}

/** Finds the refusal that a transport wrapped on its way up, such as a body that grew too large mid-stream. */
export function appErrorIn(error: unknown): AppError | null {
  let current = error;
  for (let depth = 0; depth < 5 && current instanceof Error; depth++) {
    if (current instanceof AppError) return current;
    current = current.cause;
  }
  return null;
}

const missing: Record<Resource, string> = {
  sandboxes: "There is no sandbox with this id.",
  runs: "There is no run with this id.",
  keys: "There is no API key with this id.",
  tenants: "There is no tenant with this id.",
  plans: "There is no plan with this name.",
  hosts: "There is no host with this id.",
};

/** What there is to say when something cannot be found, for unknown ids and other tenants' alike. */
export const notFound = (resource: Resource) => new AppError(resources[resource].missing, missing[resource]);
export const sandboxNotFound = () => notFound("sandboxes");
export const runNotFound = () => notFound("runs");
