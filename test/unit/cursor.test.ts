import fc from "fast-check";
import { expect, test } from "vitest";
import { HostCode, newSandboxId, newTenantId } from "#contract/ids";
import { anyText } from "#test/support/arbitrary";
import { derivedKey } from "#worker/crypto";
import { type CursorOf, fromCursor, toCursor } from "#worker/cursor";

const key = derivedKey("a key secret for tests, long enough", "cursors");
const of: CursorOf = { tenantId: newTenantId(), list: "sandboxes" };
const position = { createdAtMs: 1_893_456_000_123, id: newSandboxId(HostCode.parse("haaa")) };
const isRefused = (of: CursorOf, cursor: string, by = key) =>
  fromCursor(by, of, cursor).then(
    () => false,
    () => true,
  );

test("a cursor goes there and back", async () => {
  const cursor = await toCursor(key, of, position);
  expect(await fromCursor(key, of, cursor)).toEqual(position);
  expect(cursor).toMatch(/^[A-Za-z0-9_-]+$/);
});

test("A32: a cursor of another tenant, or under another key, is refused", async () => {
  const cursor = await toCursor(key, of, position);
  expect(await isRefused({ ...of, tenantId: newTenantId() }, cursor)).toBe(true);
  const otherPurpose = derivedKey("a key secret for tests, long enough", "idempotency");
  expect(await isRefused(of, cursor, otherPurpose)).toBe(true);
});

test("A32: a cursor that was changed anywhere, or made up, is refused", async () => {
  const cursor = await toCursor(key, of, position);
  const changed = fc
    .tuple(fc.nat(cursor.length - 1), fc.constantFrom(..."abcdefghijklmnopqrstuvwxyzABCDEFGHIJ0123456789-_"))
    .map(([at, char]) => cursor.slice(0, at) + char + cursor.slice(at + 1))
    // The last character holds bits that decoding drops.
    .filter((text) => atobUrl(text) !== atobUrl(cursor));
  const madeUp = fc.oneof(changed, anyText(), fc.base64String());
  await fc.assert(
    fc.asyncProperty(madeUp, async (text) => {
      expect(await isRefused(of, text)).toBe(true);
    }),
    { numRuns: 500, seed: 9 },
  );
});

function atobUrl(text: string): string {
  return Buffer.from(text, "base64url").toString("latin1");
}
