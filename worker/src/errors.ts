import { type ErrorCode, errorTable, type Problem } from "#contract/errors";

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

/** What there is to say when a sandbox cannot be found, for unknown ids and other tenants' alike. */
export function sandboxNotFound(): AppError {
  return new AppError("sandbox_not_found", "There is no sandbox with this id.");
}

/** The same for runs. */
export function runNotFound(): AppError {
  return new AppError("run_not_found", "There is no run with this id.");
}
