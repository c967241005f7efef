import type { Key } from "#contract/key";
import type { KeyRow } from "./store.ts";

/** A key as its tenant may see it: nothing that it could be made again from. */
export function toKey(row: KeyRow): Key {
  return {
    id: row.id,
    name: row.name,
    prefix: row.prefix,
    scopes: row.scopes,
    ...(row.templates && { templates: row.templates }),
    ...(row.monthlyCapMicros !== null && { budget: { monthlyCapMicros: row.monthlyCapMicros } }),
    ...(row.rate && { rate: row.rate }),
    createdAt: isoTime(row.createdAtMs),
    ...(row.expiresAtMs !== null && { expiresAt: isoTime(row.expiresAtMs) }),
    ...(row.revokedAtMs !== null && { revokedAt: isoTime(row.revokedAtMs) }),
    ...(row.lastUsedAtMs !== null && { lastUsedAt: isoTime(row.lastUsedAtMs) }),
  };
}

const isoTime = (ms: number): string => new Date(ms).toISOString();
