import fc from "fast-check";
import { expect, test } from "vitest";
import { shellRecord } from "#contract/sandboxd";
import { encodeCommand, type ShellRecord, ShellRecords } from "#host/sandboxd/shell";

function encoded(kind: number, bytes: Uint8Array): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt32LE(bytes.length, 0);
  header.writeUInt8(kind, 4);
  return Buffer.concat([header, bytes]);
}
const statusOf = (exitCode: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(exitCode);
  return bytes;
};

const record = fc.oneof(
  fc.tuple(fc.constantFrom("stdout" as const, "stderr" as const), fc.uint8Array({ maxLength: 100 })),
  fc.tuple(fc.constant("status" as const), fc.nat(255)),
);

test("records are the same however they were cut on their way", () => {
  fc.assert(
    fc.property(fc.array(record), fc.array(fc.nat(600)), (records, cuts) => {
      const all = Buffer.concat(
        records.map(([kind, what]) =>
          encoded(shellRecord[kind], typeof what === "number" ? statusOf(what) : what),
        ),
      );
      const at = [0, ...cuts.map((cut) => Math.min(cut, all.length)).sort((a, b) => a - b), all.length];
      const reader = new ShellRecords();
      const read: ShellRecord[] = [];
      for (let i = 1; i < at.length; i++) read.push(...reader.push(all.subarray(at[i - 1], at[i])));
      const expected = records.map(([kind, what]) =>
        typeof what === "number" ? { kind, exitCode: what } : { kind, bytes: Buffer.from(what) },
      );
      expect(read).toEqual(expected);
    }),
  );
});

test.each([
  ["a kind that nobody knows", encoded(9, Buffer.alloc(0))],
  ["a record that is too long", Buffer.from([0xff, 0xff, 0xff, 0xff, 1])],
  ["a status beyond 255", encoded(shellRecord.status, statusOf(256))],
  ["a status that is cut", encoded(shellRecord.status, Buffer.alloc(3))],
])("%s breaks the protocol", (_what, bytes) => {
  expect(() => [...new ShellRecords().push(bytes)]).toThrow("protocol");
});

test("a command is sent with its length in bytes", () => {
  expect(encodeCommand("é")).toEqual(Buffer.from([2, 0, 0, 0, 0xc3, 0xa9]));
});
