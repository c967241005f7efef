import type { Scope } from "#contract/api";
import { newKeyId, type RandomBytes } from "#contract/ids";
import type { Clock, Restrictions } from "../context.ts";
import { sha256Hex } from "../crypto.ts";
import { makeKey, shownPrefix } from "./key-format.ts";
import type { Keyring } from "./keyring.ts";
import type { NewKeyRow } from "./keys-store.ts";

export type KeyDeps = { keyring: Keyring; now: Clock; randomBytes: RandomBytes };
export type KeyTerms = { name: string; scopes: readonly Scope[] } & Partial<Restrictions>;

/** A new key and the row of it. The key is in the answer to whoever made it and nowhere else: the row has a SHA-256. */
export async function draftKey(deps: KeyDeps, terms: KeyTerms): Promise<{ key: string; row: NewKeyRow }> {
  const key = await makeKey(await deps.keyring.secret(), deps.randomBytes);
  const row: NewKeyRow = {
    id: newKeyId(deps.randomBytes),
    hash: await sha256Hex(key),
    prefix: shownPrefix(key),
    name: terms.name,
    scopes: [...terms.scopes],
    createdAtMs: deps.now(),
    expiresAtMs: terms.expiresAtMs ?? null,
    templates: terms.templates ? [...terms.templates] : null,
    monthlyCapMicros: terms.monthlyCapMicros ?? null,
    rate: terms.rate ?? null,
  };
  return { key, row };
}
