import { frameHeaderBytes, framePayloadMaxBytes, frameType } from "#contract/sandboxd";
import { SandboxdError } from "#host/sandboxd/error";

export type Frame = { type: number; stream: number; payload: Buffer };

const connectionTypes: ReadonlySet<number> = new Set([
  frameType.hello,
  frameType.configured,
  frameType.refused,
  frameType.pong,
]);
const streamTypes: ReadonlySet<number> = new Set([
  frameType.started,
  frameType.stdout,
  frameType.stderr,
  frameType.exit,
  frameType.fileStat,
  frameType.fileEntry,
  frameType.listEnd,
  frameType.data,
  frameType.end,
  frameType.credit,
  frameType.streamError,
  frameType.portOpened,
  frameType.portClosed,
  frameType.kept,
  frameType.recalled,
]);

/** One frame, ready to be written. */
export function encodeFrame(type: number, stream: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(frameHeaderBytes + payload.length);
  writeHeader(bytes, type, stream, payload.length);
  bytes.set(payload, frameHeaderBytes);
  return bytes;
}

/** The header alone, for payloads too big to be copied. */
export function encodeHeader(type: number, stream: number, payloadLength: number): Buffer {
  const bytes = Buffer.allocUnsafe(frameHeaderBytes);
  writeHeader(bytes, type, stream, payloadLength);
  return bytes;
}

function writeHeader(to: Buffer, type: number, stream: number, payloadLength: number): void {
  if (payloadLength > framePayloadMaxBytes) throw new RangeError("The payload does not fit into a frame.");
  to.writeUInt32LE(payloadLength, 0);
  to.writeUInt8(type, 4);
  to.writeUInt8(0, 5);
  to.writeUInt16LE(0, 6);
  to.writeUInt32LE(stream, 8);
}

/**
 * Cuts what sandboxd sends into frames, however the bytes were split. It holds one incomplete frame at most, and
 * throws on the first header that our sandboxd cannot have written.
 */
export class FrameDecoder {
  #held: Buffer[] = [];
  #heldBytes = 0;
  #neededBytes = frameHeaderBytes;

  /** @throws SandboxdError `protocol`; the decoder is of no use afterwards */
  *push(chunk: Buffer): Generator<Frame, void, undefined> {
    this.#held.push(chunk);
    this.#heldBytes += chunk.length;
    if (this.#heldBytes < this.#neededBytes) return;
    let bytes = this.#held.length === 1 ? chunk : Buffer.concat(this.#held, this.#heldBytes);
    while (bytes.length >= frameHeaderBytes) {
      const frameBytes = frameHeaderBytes + payloadLengthOf(bytes);
      if (bytes.length < frameBytes) break;
      yield {
        type: bytes.readUInt8(4),
        stream: bytes.readUInt32LE(8),
        payload: bytes.subarray(frameHeaderBytes, frameBytes),
      };
      bytes = bytes.subarray(frameBytes);
    }
    this.#neededBytes = frameHeaderBytes;
    if (bytes.length >= frameHeaderBytes) this.#neededBytes += payloadLengthOf(bytes);
    this.#held = bytes.length > 0 ? [bytes] : [];
    this.#heldBytes = bytes.length;
  }
}

function payloadLengthOf(header: Buffer): number {
  const length = header.readUInt32LE(0);
  const type = header.readUInt8(4);
  if (length > framePayloadMaxBytes) throw violation(`a payload of ${length} bytes`);
  if (header.readUInt8(5) !== 0 || header.readUInt16LE(6) !== 0) throw violation("reserved header bits");
  const allowed = header.readUInt32LE(8) === 0 ? connectionTypes : streamTypes;
  if (!allowed.has(type)) throw violation(`a frame of type ${type} where it has no place`);
  return length;
}

/** The error for a peer that does not keep to the contract. */
export function violation(what: string): SandboxdError {
  return new SandboxdError("protocol", `sandboxd broke the protocol: ${what}.`);
}
