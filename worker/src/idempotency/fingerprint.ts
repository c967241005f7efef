import type { TenantId } from "#contract/ids";
import { hmac, type LazyKey, toHex } from "../crypto.ts";

export type Asked = {
  tenantId: TenantId | "operator";
  method: string;
  path: string;
  /** The `Idempotency-Key` as it was sent. */
  key: string;
  /** As JSON made it, before any default. */
  body: unknown;
};

/**
 * What a keyed request is known by, and what tells it from another one under the same key. Hashed under a secret:
 * a plain hash of a body could be tried out for the values of its `env`.
 */
export async function namesOf(key: LazyKey, asked: Asked): Promise<{ id: string; fingerprint: string }> {
  const { tenantId, method, path } = asked;
  const secret = await key();
  const hash = async (of: unknown) => toHex(await hmac(secret, JSON.stringify(of)));
  return {
    id: await hash(["key", tenantId, method, path, asked.key]),
    fingerprint: await hash(["request", tenantId, method, path, canonical(asked.body)]),
  };
}

/** The same value for documents that mean the same: the order of names says nothing. Depth was bounded before. */
export function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== "object" || value === null) return value;
  // Pairs instead of an object, where names that look like numbers would be put in another order.
  const pairs = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return { object: pairs.map(([name, inner]) => [name, canonical(inner)]) };
}
