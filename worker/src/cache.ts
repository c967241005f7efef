/** A bounded map with a time to live: the oldest entry makes room, an outlived one is never returned. */
export type TtlCache<V> = {
  get: (key: string, nowMs: number) => V | undefined;
  set: (key: string, value: V, nowMs: number) => void;
  deleteWhere: (matches: (value: V) => boolean) => void;
};

export function ttlCache<V>(options: { entriesMax: number; ttlMs: number }): TtlCache<V> {
  const entries = new Map<string, { value: V; sinceMs: number }>();
  return {
    get(key, nowMs) {
      const entry = entries.get(key);
      if (!entry) return undefined;
      const ageMs = nowMs - entry.sinceMs;
      // A clock that is set back must not lengthen the life of what has been revoked since.
      if (ageMs >= 0 && ageMs < options.ttlMs) return entry.value;
      entries.delete(key);
      return undefined;
    },
    set(key, value, nowMs) {
      entries.delete(key);
      if (entries.size >= options.entriesMax) {
        const oldest = entries.keys().next();
        if (!oldest.done) entries.delete(oldest.value);
      }
      entries.set(key, { value, sinceMs: nowMs });
    },
    deleteWhere(matches) {
      for (const [key, entry] of entries) if (matches(entry.value)) entries.delete(key);
    },
  };
}
