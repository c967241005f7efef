import { watchFlag, watchRecord, watchRecordHeaderBytes } from "#contract/sandboxd";
import { errorFromWire, type SandboxdError } from "#host/sandboxd/error";
import { violation } from "#host/sandboxd/frames";

const pathMaxBytes = 4096;
/** Flags, two paths and what is between them. */
const recordMaxBytes = 2 * pathMaxBytes + 2;

type Change = "create" | "write" | "remove" | "rename" | "chmod";
export type WatchRecord =
  | { kind: "ready" | "overflow" | "end" }
  | { kind: Change; isFolder: boolean; path: Buffer; from?: Buffer }
  | { kind: "refused"; error: SandboxdError };

const kinds = new Map<number, keyof typeof watchRecord>(
  Object.entries(watchRecord).map(([name, number]) => [number, name as keyof typeof watchRecord]),
);

/** Cuts what `sandboxd watch` prints into records, however it arrives. It runs as the tenant: nothing of it is trusted. */
export class WatchRecords {
  #held: Buffer = Buffer.alloc(0);

  /** @throws SandboxdError `protocol`; what comes after that is no record any more */
  *push(chunk: Buffer): Generator<WatchRecord, void, undefined> {
    let bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    while (bytes.length >= watchRecordHeaderBytes) {
      const length = bytes.readUInt32LE(0);
      if (length > recordMaxBytes) throw violation("a record of a watch that is too long");
      const end = watchRecordHeaderBytes + length;
      if (bytes.length < end) break;
      yield recordOf(bytes.readUInt8(4), bytes.subarray(watchRecordHeaderBytes, end));
      bytes = bytes.subarray(end);
    }
    this.#held = Buffer.from(bytes);
  }
}

function recordOf(number: number, payload: Buffer): WatchRecord {
  const kind = kinds.get(number);
  if (kind === undefined || payload.length < 1) throw violation("an unknown record of a watch");
  if (kind === "ready" || kind === "overflow" || kind === "end") return { kind };
  if (kind === "refused") {
    if (payload.length !== 2) throw violation("a refusal of a watch without its reason");
    return { kind, error: errorFromWire(payload.readUInt16LE(), "watching was refused") };
  }
  const isFolder = (payload.readUInt8(0) & watchFlag.folder) !== 0;
  const [first, second, more] = partsOf(payload.subarray(1));
  const isWhole = first !== undefined && more === undefined && (second !== undefined) === (kind === "rename");
  if (!isWhole) throw violation("a record of a watch with another number of paths");
  return { kind, isFolder, ...(second ? { from: first, path: second } : { path: first }) };
}

function partsOf(bytes: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  let from = 0;
  for (let nul = bytes.indexOf(0); nul !== -1; nul = bytes.indexOf(0, from)) {
    parts.push(bytes.subarray(from, nul));
    from = nul + 1;
  }
  return [...parts, bytes.subarray(from)];
}
