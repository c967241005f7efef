import fc from "fast-check";
import { expect, test } from "vitest";
import { sandboxdError, watchRecord } from "#contract/sandboxd";
import { type WatchRecord, WatchRecords } from "#host/sandboxd/watch";

function encoded(kind: number, payload: Uint8Array): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt32LE(payload.length, 0);
  header.writeUInt8(kind, 4);
  return Buffer.concat([header, payload]);
}
const path = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes.map((byte) => byte || 1)));
const changes = ["create", "write", "remove", "chmod"] as const;
const record: fc.Arbitrary<[Buffer, WatchRecord]> = fc.oneof(
  fc
    .constantFrom("ready" as const, "overflow" as const, "end" as const)
    .map((kind): [Buffer, WatchRecord] => [encoded(watchRecord[kind], Buffer.from([0])), { kind }]),
  fc
    .tuple(fc.constantFrom(...changes), fc.boolean(), path)
    .map(([kind, isFolder, of]): [Buffer, WatchRecord] => [
      encoded(watchRecord[kind], Buffer.concat([Buffer.from([isFolder ? 1 : 0]), of])),
      { kind, isFolder, path: of },
    ]),
  fc
    .tuple(path, path)
    .map(([from, to]): [Buffer, WatchRecord] => [
      encoded(watchRecord.rename, Buffer.concat([Buffer.from([0]), from, Buffer.from([0]), to])),
      { kind: "rename", isFolder: false, from, path: to },
    ]),
);

test("records are the same however they were cut on their way", () => {
  fc.assert(
    fc.property(fc.array(record), fc.array(fc.nat(600)), (records, cuts) => {
      const all = Buffer.concat(records.map(([bytes]) => bytes));
      const at = [0, ...cuts.map((cut) => Math.min(cut, all.length)).sort((a, b) => a - b), all.length];
      const reader = new WatchRecords();
      const read: WatchRecord[] = [];
      for (let i = 1; i < at.length; i++) read.push(...reader.push(all.subarray(at[i - 1], at[i])));
      expect(read).toEqual(records.map(([, expected]) => expected));
    }),
  );
});

test("a refusal says why, in the words of the wire", () => {
  const bytes = encoded(watchRecord.refused, Buffer.from([sandboxdError.pathRefused, 0]));
  expect([...new WatchRecords().push(bytes)]).toMatchObject([
    { kind: "refused", error: { code: "pathRefused" } },
  ]);
});

test.each([
  ["a kind that nobody knows", encoded(99, Buffer.from([0]))],
  ["a record that is too long", Buffer.from([0xff, 0xff, 0xff, 0xff, 1])],
  ["a change without anything", encoded(watchRecord.create, Buffer.alloc(0))],
  ["a renaming with one path", encoded(watchRecord.rename, Buffer.from([0, 97]))],
  ["a change with two paths", encoded(watchRecord.create, Buffer.from([0, 97, 0, 98]))],
  ["a refusal without its reason", encoded(watchRecord.refused, Buffer.from([1]))],
])("%s breaks the protocol", (_what, bytes) => {
  expect(() => [...new WatchRecords().push(bytes)]).toThrow("protocol");
});
