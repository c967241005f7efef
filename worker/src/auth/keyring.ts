import { type TtlCache, ttlCache } from "../cache.ts";
import { derivedKey, type HmacKey, importHmacKey, type LazyKey } from "../crypto.ts";
import type { FoundKey } from "./store.ts";

/** Who shows a key itself; made once and kept, since a copy for every request costs more than finding it. */
export type KeyHolder = FoundKey & { sandboxId: null };

/** What one isolate keeps to verify API keys and tokens: the secrets of their tails, and what it has lately learnt. */
export type Keyring = {
  secret: () => Promise<HmacKey>;
  tokenSecret: LazyKey;
  /** Keyed by the presented key itself, in memory only: a digest would cost more than the rest of the check. */
  known: TtlCache<KeyHolder>;
  refused: TtlCache<true>;
  /** Keys that tokens were made with, by their ids. Apart from `known`: an id must never pass for a key. */
  makers: TtlCache<FoundKey>;
  refusedMakers: TtlCache<true>;
  /** Has what is known of these keys read anew: something about them was changed here. */
  forget: (matches: (key: FoundKey) => boolean) => void;
};

const ttlMs = 5_000;
const entriesMax = 10_000;

export function makeKeyring(keySecret: string): Keyring {
  let imported: HmacKey | undefined;
  const known = ttlCache<KeyHolder>({ entriesMax, ttlMs });
  const makers = ttlCache<FoundKey>({ entriesMax, ttlMs });
  return {
    // The value is kept, not its promise: at the edge a request may not wait on another request's promise.
    secret: async () => {
      imported ??= await importHmacKey(keySecret);
      return imported;
    },
    tokenSecret: derivedKey(keySecret, "sandgate sandbox tokens v1"),
    known,
    refused: ttlCache({ entriesMax, ttlMs }),
    makers,
    refusedMakers: ttlCache({ entriesMax, ttlMs }),
    forget(matches) {
      known.deleteWhere(matches);
      makers.deleteWhere(matches);
    },
  };
}
