import { shellRecord, shellRecordHeaderBytes } from "#contract/sandboxd";
import { violation } from "#host/sandboxd/frames";

/** The longest piece of output that `sandboxd session` sends at once. */
const recordMaxBytes = 32 * 1024;

export type ShellRecord = { kind: "stdout" | "stderr"; bytes: Buffer } | { kind: "status"; exitCode: number };

/** A command as the shell's helper takes it: {u32 length, bytes}. */
export function encodeCommand(command: string): Buffer {
  const bytes = Buffer.from(command);
  const length = Buffer.allocUnsafe(4);
  length.writeUInt32LE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** Cuts what the helper prints into records, however it arrives. It runs as the tenant: nothing of it is trusted. */
export class ShellRecords {
  #held: Buffer = Buffer.alloc(0);

  /** @throws SandboxdError `protocol`; what comes after that is no record any more */
  *push(chunk: Buffer): Generator<ShellRecord, void, undefined> {
    let bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    while (bytes.length >= shellRecordHeaderBytes) {
      const length = bytes.readUInt32LE(0);
      if (length > recordMaxBytes) throw violation("a record of a session that is too long");
      const end = shellRecordHeaderBytes + length;
      if (bytes.length < end) break;
      yield recordOf(bytes.readUInt8(4), bytes.subarray(shellRecordHeaderBytes, end));
      bytes = bytes.subarray(end);
    }
    this.#held = Buffer.from(bytes);
  }
}

function recordOf(kind: number, bytes: Buffer): ShellRecord {
  if (kind === shellRecord.stdout) return { kind: "stdout", bytes };
  if (kind === shellRecord.stderr) return { kind: "stderr", bytes };
  const exitCode = kind === shellRecord.status && bytes.length === 4 ? bytes.readUInt32LE() : 256;
  if (exitCode > 255) throw violation("an unknown record of a session");
  return { kind: "status", exitCode };
}
