import { type ErrorCode, errorTable } from "#contract/errors";

/** An answer for the caller: a code of the contract's table and one sentence. The cause goes to the log only. */
export class HostError extends Error {
  readonly code: ErrorCode;
  readonly facts: Record<string, string | number> | undefined;
  constructor(
    code: ErrorCode,
    sentence: string,
    options?: ErrorOptions & { facts?: Record<string, string | number> },
  ) {
    super(sentence, options);
    this.name = "HostError";
    this.code = code;
    this.facts = options?.facts;
  }
  get status(): number {
    return errorTable[this.code].status;
  }
}

/** The host cannot go on; the message is one sentence for the operator, who gets no stack. */
export class StartupError extends Error {}
