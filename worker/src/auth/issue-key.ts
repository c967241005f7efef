import type { Scope } from "#contract/api";
import { type KeyId, newKeyId, type RandomBytes, type TenantId } from "#contract/ids";
import type { Clock } from "../context.ts";
import { sha256Hex } from "../crypto.ts";
import type { Db } from "../db/client.ts";
import { makeKey, shownPrefix } from "./key-format.ts";
import type { Keyring } from "./keyring.ts";
import { insertKey } from "./store.ts";

type Deps = { db: Db; keyring: Keyring; now: Clock; randomBytes: RandomBytes };
type NewKey = { tenantId: TenantId; name: string; scopes: readonly Scope[]; expiresAtMs?: number };

/** Makes an API key. This is the only time that the key itself is seen: a SHA-256 of it is stored. */
export async function issueKey(deps: Deps, input: NewKey): Promise<{ id: KeyId; key: string }> {
  const key = await makeKey(await deps.keyring.secret(), deps.randomBytes);
  const id = newKeyId(deps.randomBytes);
  await insertKey(deps.db, input.tenantId, {
    id,
    hash: await sha256Hex(key),
    prefix: shownPrefix(key),
    name: input.name,
    scopes: [...input.scopes],
    createdAtMs: deps.now(),
    expiresAtMs: input.expiresAtMs ?? null,
    revokedAtMs: null,
    lastUsedAtMs: null,
    templates: null,
    monthlyCapMicros: null,
    rate: null,
  });
  return { id, key };
}
