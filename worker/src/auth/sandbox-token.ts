import { claimsText, readToken, type TokenClaims } from "#contract/token";
import { equalInConstantTime, type HmacKey, hmac, toHex } from "../crypto.ts";

const macHexChars = 32;

/** A token for one sandbox. It is kept nowhere: who has the secret can tell that it is ours. */
export async function makeToken(secret: HmacKey, claims: TokenClaims): Promise<string> {
  const signed = claimsText(claims);
  return `${signed}_${await macOf(secret, signed)}`;
}

/** What a token says, if we made it; asks nobody. Whether it still counts is the caller's to check. */
export async function claimsOf(secret: HmacKey, token: string): Promise<TokenClaims | null> {
  const read = readToken(token);
  if (!read || !equalInConstantTime(read.mac, await macOf(secret, read.signed))) return null;
  return read.claims;
}

async function macOf(secret: HmacKey, signed: string): Promise<string> {
  return toHex(await hmac(secret, signed)).slice(0, macHexChars);
}
