import fc from "fast-check";
import { expect, test } from "vitest";
import { newHostCode, newKeyId, newSandboxId, newTenantId } from "#contract/ids";
import { claimsText, readToken, tokenScopes } from "#contract/token";
import { isOurKey } from "#worker/auth/key-format";
import { claimsOf, makeToken } from "#worker/auth/sandbox-token";
import { importHmacKey } from "#worker/crypto";

const secret = importHmacKey("a secret of tests that is long enough");
const claims = fc.record({
  sandboxId: fc.constant(0).map(() => newSandboxId(newHostCode())),
  tenantId: fc.constant(0).map(() => newTenantId()),
  keyId: fc.constant(0).map(() => newKeyId()),
  scopes: fc.subarray([...tokenScopes], { minLength: 1 }),
  // From 2001 to 2286.
  expiresAtMs: fc.integer({ min: 1_000_000_000, max: 9_999_999_999 }).map((seconds) => seconds * 1000),
});

test("a token says what was put into it, and fits where a key fits", async () => {
  const property = fc.asyncProperty(claims, async (said) => {
    const token = await makeToken(await secret, said);
    expect(await claimsOf(await secret, token)).toEqual(said);
    expect(token.length).toBeLessThanOrEqual(128);
    expect(await isOurKey(await secret, token)).toBe(false);
  });
  await fc.assert(property, { seed: 1 });
});

test("a token that was changed anywhere is none, and so is one of another secret", async () => {
  const other = await importHmacKey("another secret of tests, long enough");
  const property = fc.asyncProperty(
    claims,
    fc.nat(),
    fc.constantFrom(..."0123456789abcdefghijklmnopqrstuvwxyz_"),
    async (said, at, char) => {
      const token = await makeToken(await secret, said);
      const place = at % token.length;
      const changed = token.slice(0, place) + char + token.slice(place + 1);
      if (changed !== token) expect(await claimsOf(await secret, changed)).toBeNull();
      expect(await claimsOf(other, token)).toBeNull();
      expect(await claimsOf(await secret, claimsText(said))).toBeNull();
    },
  );
  await fc.assert(property, { numRuns: 500, seed: 2 });
});

test("the bits of a token stand for the same scopes for ever", () => {
  const at = (scopes: readonly (typeof tokenScopes)[number][]) => {
    const said = { sandboxId: newSandboxId(newHostCode()), tenantId: newTenantId(), keyId: newKeyId() };
    return claimsText({ ...said, scopes: [...scopes], expiresAtMs: 1_900_000_000_000 }).split("_")[4];
  };
  expect(tokenScopes.map((scope) => at([scope]))).toEqual(["1", "2", "4", "8", "g"]);
  expect(at(tokenScopes)).toBe("v");
  expect(readToken(`sbt_${"a".repeat(24)}`)).toBeNull();
});
