import { equalInConstantTime, hmac, importHmacKey, toHex } from "../crypto.ts";
import { AppError } from "../errors.ts";

/** A key that somebody could guess is worse than none; `npm start` makes one of 64 digits. */
const adminKeyMinChars = 32;

/**
 * Lets the operator in, by the admin key as a bearer token. Where none is set up nobody is an operator.
 * @throws AppError `unauthenticated`
 */
export async function requireOperator(adminKey: string, headers: Headers): Promise<void> {
  const presented = /^bearer ([^\s,]{1,256})$/i.exec(headers.get("authorization") ?? "")?.[1] ?? "";
  // Of equal length, whatever was sent: comparing must tell nothing, not even how long the key is.
  const random = await importHmacKey(crypto.getRandomValues(new Uint8Array(32)));
  const [given, wanted] = [toHex(await hmac(random, presented)), toHex(await hmac(random, adminKey))];
  if (adminKey.length >= adminKeyMinChars && equalInConstantTime(given, wanted)) return;
  throw new AppError("unauthenticated", "Send the admin key as a bearer token.");
}
