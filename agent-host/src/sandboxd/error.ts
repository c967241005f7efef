import { sandboxdError } from "#contract/sandboxd";

/** What sandboxd answered, or what ended the conversation with it. */
export type SandboxdErrorCode =
  | keyof typeof sandboxdError
  | "closed"
  | "protocol"
  | "proof"
  | "deadline"
  | "portUnknown";

export class SandboxdError extends Error {
  readonly code: SandboxdErrorCode;
  constructor(code: SandboxdErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "SandboxdError";
    this.code = code;
  }
}

const namesByNumber = new Map<number, keyof typeof sandboxdError>(
  Object.entries(sandboxdError).map(([name, number]) => [number, name as keyof typeof sandboxdError]),
);

/** The error for a number off the wire; an unknown one means that the peer is not the sandboxd we ship. */
export function errorFromWire(number: number, message: string): SandboxdError {
  const name = namesByNumber.get(number);
  if (name === undefined) return new SandboxdError("protocol", `sandboxd sent the unknown error ${number}.`);
  return new SandboxdError(name, printable(message));
}

// Log lines are made of this: nothing in it may move a cursor or forge a line.
function printable(message: string): string {
  return message.slice(0, 300).replace(/[^\x20-\x7e]/g, "?");
}
