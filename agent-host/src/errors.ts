import { type ErrorCode, errorTable } from "#contract/errors";

/** An answer for the caller: a code of the contract's table and one sentence. The cause goes to the log only. */
export class HostError extends Error {
  readonly code: ErrorCode;
  constructor(code: ErrorCode, sentence: string, options?: ErrorOptions) {
    super(sentence, options);
    this.name = "HostError";
    this.code = code;
  }
  get status(): number {
    return errorTable[this.code].status;
  }
}

/** The host cannot go on; the message is one sentence for the operator, who gets no stack. */
export class StartupError extends Error {}
