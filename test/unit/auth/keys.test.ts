import { expect, test } from "vitest";
import { secureRandom } from "#contract/ids";
import { isOurKey, makeKey, shownPrefix } from "#worker/auth/key-format";
import { equalInConstantTime, fromHex, hmac, hmacMatches, importHmacKey, toHex } from "#worker/crypto";

test("a key is what every E2B client accepts, and only the holder of the secret can make one", async () => {
  const secret = await importHmacKey("a secret");
  const key = await makeKey(secret, secureRandom);
  expect(key).toMatch(/^e2b_[0-9a-f]{40}$/);
  expect(await isOurKey(secret, key)).toBe(true);
  expect(await isOurKey(await importHmacKey("another secret"), key)).toBe(false);
  for (let i = 4; i < key.length; i++) {
    const changed = key.slice(0, i) + (key[i] === "0" ? "1" : "0") + key.slice(i + 1);
    expect(await isOurKey(secret, changed)).toBe(false);
  }
});

test("what is shown of a key does not help to make it", async () => {
  const key = await makeKey(await importHmacKey("a secret"), secureRandom);
  expect(shownPrefix(key)).toHaveLength(10);
});

test("texts are equal only when all of them is", () => {
  expect(equalInConstantTime("abc", "abc")).toBe(true);
  expect(equalInConstantTime("abc", "abd")).toBe(false);
  expect(equalInConstantTime("abc", "ab")).toBe(false);
});

test("hex goes there and back, and anything else is refused", () => {
  expect(toHex(fromHex("00ff7f") ?? new Uint8Array())).toBe("00ff7f");
  for (const text of ["0", "0g", "FF", " 00"]) expect(fromHex(text)).toBeNull();
});

test("both ways of hashing agree", async () => {
  for (const secret of ["a secret", new Uint8Array(32).fill(7)]) {
    const native = await importHmacKey(secret, true);
    const web = await importHmacKey(secret, false);
    expect(toHex(await hmac(native, "text ü"))).toBe(toHex(await hmac(web, "text ü")));
    for (const key of [native, web]) {
      expect(await hmacMatches(key, await hmac(web, "text"), "text")).toBe(true);
      expect(await hmacMatches(key, await hmac(web, "text"), "test")).toBe(false);
      expect(await hmacMatches(key, new Uint8Array(31), "text")).toBe(false);
    }
  }
});
