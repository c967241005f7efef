import { execFlag, exitReason, fieldTag } from "#contract/sandboxd";
import { SandboxdError } from "#host/sandboxd/error";
import { Fields, FieldWriter } from "#host/sandboxd/fields";
import { violation } from "#host/sandboxd/frames";

export type ExecRequest = {
  /** Never seen by a shell; a name without `/` is looked up in PATH. */
  argv: string[];
  env?: Record<string, string>;
  cwd?: string;
  timeoutMs?: number;
  /** How long output is awaited when background processes keep it open after the program has ended. */
  graceMs?: number;
  killOrphans?: boolean;
  /** `write` and `endStdin` will be used; otherwise stdin is /dev/null. */
  stdin?: boolean;
  /** A pseudo terminal of this size in place of three pipes; generation 2 of the wire. */
  terminal?: TerminalSize;
  /** Under this name sandboxd keeps its newest output and its end for a host that comes back; generation 4. */
  tag?: string;
  /** Given back with the tag. */
  metadata?: Buffer;
  /** Its input ends with this connection, and of it only its end is kept. */
  endsWithHost?: boolean;
};

export type TerminalSize = { cols: number; rows: number };

export type ExecExit = {
  /** -1 when a signal ended the program. */
  exitCode: number;
  /** 0 when it exited by itself. */
  signal: number;
  reason: keyof typeof exitReason;
  durationMicros: number;
};

const reasons = new Map<number, keyof typeof exitReason>(
  Object.entries(exitReason).map(([name, number]) => [number, name as keyof typeof exitReason]),
);

/** @throws SandboxdError `badRequest` for what the wire cannot carry */
export function encodeRequest(request: ExecRequest): Buffer {
  const fields = new FieldWriter();
  for (const argument of request.argv) fields.put(fieldTag.argv, argument);
  for (const [name, value] of Object.entries(request.env ?? {}))
    fields.put(fieldTag.env, envEntry(name, value));
  if (request.cwd !== undefined) fields.put(fieldTag.cwd, request.cwd);
  if (request.timeoutMs !== undefined) fields.putUint(fieldTag.timeoutMs, request.timeoutMs, 4);
  if (request.graceMs !== undefined) fields.putUint(fieldTag.graceMs, request.graceMs, 4);
  const flags =
    (request.killOrphans ? execFlag.killOrphans : 0) |
    (request.stdin ? execFlag.stdin : 0) |
    (request.terminal ? execFlag.pty : 0) |
    (request.endsWithHost ? execFlag.endsWithHost : 0);
  if (request.tag !== undefined) fields.put(fieldTag.tag, request.tag);
  if (request.metadata !== undefined) fields.put(fieldTag.metadata, request.metadata);
  if (request.terminal) putSize(fields, request.terminal);
  if (flags !== 0) fields.putUint(fieldTag.flags, flags, 4);
  return fields.finish();
}

export function putSize(fields: FieldWriter, { cols, rows }: TerminalSize): FieldWriter {
  return fields.putUint(fieldTag.cols, cols, 2).putUint(fieldTag.rows, rows, 2);
}

/** `NAME=value`. @throws SandboxdError `badRequest` for a name that would shift the boundary */
export function envEntry(name: string, value: string): string {
  if (name === "" || name.includes("="))
    throw new SandboxdError("badRequest", "A variable needs a name without '='.");
  return `${name}=${value}`;
}

/** @throws SandboxdError `protocol` */
export function decodeExit(payload: Buffer): ExecExit {
  const fields = new Fields(payload);
  const reason = reasons.get(fields.uint16(fieldTag.reason));
  if (reason === undefined) throw violation("an unknown exit reason");
  return {
    exitCode: fields.int32(fieldTag.exitCode),
    signal: fields.uint32(fieldTag.signal),
    reason,
    durationMicros: fields.uint64(fieldTag.durationMicros),
  };
}
