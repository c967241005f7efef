import { framePayloadMaxBytes } from "#contract/sandboxd";
import { SandboxdError } from "#host/sandboxd/error";
import { violation } from "#host/sandboxd/frames";

const fieldHeaderBytes = 6;

/** Collects fields into one payload. Values that do not fit the wire are the caller's bad request. */
export class FieldWriter {
  readonly #parts: Buffer[] = [];
  #bytes = 0;

  put(tag: number, value: Uint8Array | string): this {
    const bytes = typeof value === "string" ? Buffer.from(value, "utf8") : Buffer.from(value);
    const header = Buffer.allocUnsafe(fieldHeaderBytes);
    header.writeUInt16LE(tag, 0);
    header.writeUInt32LE(bytes.length, 2);
    this.#parts.push(header, bytes);
    this.#bytes += fieldHeaderBytes + bytes.length;
    if (this.#bytes > framePayloadMaxBytes) {
      throw new SandboxdError("badRequest", `A request holds ${framePayloadMaxBytes} bytes at most.`);
    }
    return this;
  }

  putUint(tag: number, value: number, widthBytes: 2 | 4 | 8): this {
    const max = widthBytes === 8 ? Number.MAX_SAFE_INTEGER : 2 ** (8 * widthBytes) - 1;
    if (!Number.isInteger(value) || value < 0 || value > max) {
      throw new SandboxdError("badRequest", `${value} is not a whole number from 0 to ${max}.`);
    }
    const bytes = Buffer.allocUnsafe(widthBytes);
    if (widthBytes === 2) bytes.writeUInt16LE(value);
    else if (widthBytes === 4) bytes.writeUInt32LE(value);
    else bytes.writeBigUInt64LE(BigInt(value));
    return this.put(tag, bytes);
  }

  finish(): Buffer {
    return Buffer.concat(this.#parts, this.#bytes);
  }
}

/** The fields of a payload from sandboxd. Each getter throws a protocol error when the field is not as it must be. */
export class Fields {
  readonly #byTag = new Map<number, Buffer>();

  constructor(payload: Buffer) {
    for (let at = 0; at < payload.length; ) {
      if (payload.length - at < fieldHeaderBytes) throw violation("a cut field header");
      const tag = payload.readUInt16LE(at);
      const length = payload.readUInt32LE(at + 2);
      at += fieldHeaderBytes;
      if (length > payload.length - at) throw violation("a field longer than its frame");
      // Unknown tags may repeat in a newer sandboxd; of those we read, the first one counts.
      if (!this.#byTag.has(tag)) this.#byTag.set(tag, payload.subarray(at, at + length));
      at += length;
    }
  }

  has(tag: number): boolean {
    return this.#byTag.has(tag);
  }

  bytes(tag: number, lengthBytes?: number): Buffer {
    const bytes = this.#byTag.get(tag);
    if (bytes === undefined) throw violation(`field ${tag} is missing`);
    if (lengthBytes !== undefined && bytes.length !== lengthBytes)
      throw violation(`field ${tag} has a wrong length`);
    return bytes;
  }

  text(tag: number, maxBytes: number): string {
    const bytes = this.bytes(tag);
    if (bytes.length > maxBytes) throw violation(`field ${tag} is too long`);
    return bytes.toString("utf8");
  }

  uint16(tag: number): number {
    return this.bytes(tag, 2).readUInt16LE();
  }

  uint32(tag: number): number {
    return this.bytes(tag, 4).readUInt32LE();
  }

  int32(tag: number): number {
    return this.bytes(tag, 4).readInt32LE();
  }

  uint64(tag: number): number {
    const value = this.bytes(tag, 8).readBigUInt64LE();
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw violation(`field ${tag} is beyond 2^53`);
    return Number(value);
  }
}
