import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { expect, test } from "vitest";
import { newTenantId } from "#contract/ids";
import { derivedKey } from "#worker/crypto";
import { type Asked, namesOf } from "#worker/idempotency/fingerprint";

const secret = derivedKey("a key secret for tests, long enough", "test");
const asked: Asked = { tenantId: newTenantId(), method: "POST", path: "/v1/x", key: "k", body: { a: 1 } };
const names = (over: Partial<Asked> = {}) => namesOf(secret, { ...asked, ...over });

/** The same value with the names of every object in another order. */
function reordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reordered);
  if (typeof value !== "object" || value === null) return value;
  const pairs = Object.entries(value).map(([name, inner]) => [name, reordered(inner)] as const);
  return Object.fromEntries(pairs.reverse());
}

test("bodies have the same fingerprint exactly when they mean the same", async () => {
  const sent = (value: unknown) => JSON.parse(JSON.stringify(value));
  await fc.assert(
    fc.asyncProperty(fc.jsonValue({ maxDepth: 4 }), fc.jsonValue({ maxDepth: 4 }), async (one, two) => {
      const [a, b] = [sent(one), sent(two)];
      const first = await names({ body: a });
      expect(await names({ body: reordered(a) })).toEqual(first);
      const isSame = isDeepStrictEqual(a, b);
      expect((await names({ body: b })).fingerprint === first.fingerprint).toBe(isSame);
      // What wraps an object in the fingerprint is not a document that a caller could send instead.
      expect((await names({ body: { object: a } })).fingerprint).not.toBe(first.fingerprint);
    }),
    { numRuns: 300, seed: 5 },
  );
});

test("tenant, method, path and key each make another record, the body another fingerprint only", async () => {
  const first = await names();
  const others: Partial<Asked>[] = [
    { tenantId: newTenantId() },
    { method: "PUT" },
    { path: "/v1/y" },
    { key: "K" },
    { path: "/v1/x\nk", key: "" },
  ];
  for (const over of others) expect((await names(over)).id).not.toBe(first.id);
  const body = await names({ body: { a: 2 } });
  expect([body.id === first.id, body.fingerprint === first.fingerprint]).toEqual([true, false]);
});

test("without the secret nobody can try values out", async () => {
  const other = derivedKey("another key secret for tests, long enough", "test");
  const otherPurpose = derivedKey("a key secret for tests, long enough", "another");
  const first = await names();
  for (const key of [other, otherPurpose]) expect(await namesOf(key, asked)).not.toEqual(first);
});
