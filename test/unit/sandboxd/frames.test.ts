import fc from "fast-check";
import { expect, test } from "vitest";
import { frameHeaderBytes, framePayloadMaxBytes, frameType } from "#contract/sandboxd";
import { SandboxdError } from "#host/sandboxd/error";
import { Fields, FieldWriter } from "#host/sandboxd/fields";
import { encodeFrame, type Frame, FrameDecoder } from "#host/sandboxd/frames";

const streamFrame = fc.record({
  type: fc.constantFrom(frameType.stdout, frameType.stderr, frameType.data, frameType.exit, frameType.credit),
  stream: fc.integer({ min: 1, max: 0xffffffff }),
  payload: fc.uint8Array({ maxLength: 300 }),
});
const connectionFrame = fc.record({
  type: fc.constantFrom(frameType.hello, frameType.pong, frameType.refused),
  stream: fc.constant(0),
  payload: fc.uint8Array({ maxLength: 300 }),
});

function decode(chunks: Iterable<Uint8Array>): Frame[] {
  const decoder = new FrameDecoder();
  return [...chunks].flatMap((chunk) => [...decoder.push(Buffer.from(chunk))]);
}

function split(bytes: Buffer, cuts: number[]): Buffer[] {
  const at = [...new Set([0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].sort(
    (a, b) => a - b,
  );
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end));
}

test("any split of the bytes gives the same frames", () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(streamFrame, connectionFrame), { maxLength: 12 }),
      fc.array(fc.nat(5000), { maxLength: 40 }),
      (frames, cuts) => {
        const bytes = Buffer.concat(frames.map((f) => encodeFrame(f.type, f.stream, f.payload)));
        const decoded = decode(split(bytes, cuts));
        expect(decoded.map((f) => ({ ...f, payload: [...f.payload] }))).toEqual(
          frames.map((f) => ({ ...f, payload: [...f.payload] })),
        );
      },
    ),
  );
});

test("junk either waits for more or is refused as a protocol error, and nothing else", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 10 }), (chunks) => {
      try {
        decode(chunks);
      } catch (cause) {
        expect(cause).toBeInstanceOf(SandboxdError);
        expect(cause).toHaveProperty("code", "protocol");
      }
    }),
  );
});

test("a payload length is refused by its header, before a byte of it is kept", () => {
  const header = encodeFrame(frameType.stdout, 1, new Uint8Array(0));
  header.writeUInt32LE(framePayloadMaxBytes + 1, 0);
  expect(() => decode([header])).toThrow(SandboxdError);
  header.writeUInt32LE(framePayloadMaxBytes, 0);
  expect(decode([header])).toEqual([]);
});

test.each([
  ["flags", frameType.stdout, 1, (h: Buffer) => h.writeUInt8(1, 5)],
  ["reserved bits", frameType.stdout, 1, (h: Buffer) => h.writeUInt16LE(256, 6)],
  ["a host's frame", frameType.exec, 1, () => {}],
  ["output on the connection", frameType.stdout, 0, () => {}],
  ["a hello on a stream", frameType.hello, 9, () => {}],
])("%s from sandboxd breaks the protocol", (_what, type, stream, spoil) => {
  const bytes = encodeFrame(type, stream, new Uint8Array(0));
  spoil(bytes);
  expect(() => decode([bytes])).toThrow(/broke the protocol/);
});

test("a big frame that arrives in crumbs is put together once", () => {
  const bytes = encodeFrame(frameType.stdout, 1, Buffer.alloc(framePayloadMaxBytes, 7));
  const crumbs = Array.from({ length: Math.ceil(bytes.length / 64) }, (_, i) =>
    bytes.subarray(i * 64, i * 64 + 64),
  );
  const [frame] = decode(crumbs);
  expect(frame?.payload.length).toBe(bytes.length - frameHeaderBytes);
});

test("fields survive the wire, and a reader meets junk with a protocol error", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat(2 ** 31), (junk, number) => {
      const fields = new Fields(new FieldWriter().putUint(7, number, 4).put(9, junk).finish());
      expect(fields.uint32(7)).toBe(number);
      expect([...fields.bytes(9)]).toEqual([...junk]);
      try {
        new Fields(Buffer.from(junk)).uint64(1);
      } catch (cause) {
        expect(cause).toHaveProperty("code", "protocol");
      }
    }),
  );
});

test("numbers that the wire cannot carry are a bad request of the caller", () => {
  for (const value of [-1, 1.5, Number.NaN, 2 ** 32]) {
    expect(() => new FieldWriter().putUint(1, value, 4)).toThrow(SandboxdError);
  }
});
