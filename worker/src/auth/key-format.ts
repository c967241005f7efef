import { equalInConstantTime, type HmacKey, hmac, toHex } from "../crypto.ts";

const keyPrefix = "e2b_";
const randomHexChars = 24;
const tailHexChars = 16;
/** What people may see of a key to recognise it by. */
const shownChars = keyPrefix.length + 6;

/** `e2b_` and 40 hex digits: 24 random ones and a tail that only the holder of the secret can make. */
export async function makeKey(secret: HmacKey, random: (length: number) => Uint8Array): Promise<string> {
  const body = keyPrefix + toHex(random(randomHexChars / 2));
  return body + (await tailOf(secret, body));
}

/** Whether we made this key; a made-up one is refused here, before the database is asked. */
export async function isOurKey(secret: HmacKey, key: string): Promise<boolean> {
  if (!/^e2b_[0-9a-f]{40}$/.test(key)) return false;
  const body = key.slice(0, keyPrefix.length + randomHexChars);
  return equalInConstantTime(await tailOf(secret, body), key.slice(body.length));
}

export const shownPrefix = (key: string): string => key.slice(0, shownChars);

async function tailOf(secret: HmacKey, body: string): Promise<string> {
  return toHex(await hmac(secret, body)).slice(0, tailHexChars);
}
