import { type TtlCache, ttlCache } from "../cache.ts";
import { type HmacKey, importHmacKey } from "../crypto.ts";
import type { FoundKey } from "./store.ts";

/** What one isolate keeps to verify API keys: the secret of their tails, and what it has lately learnt of them. */
export type Keyring = {
  secret: () => Promise<HmacKey>;
  /** Keyed by the presented key itself, in memory only: a digest would cost more than the rest of the check. */
  known: TtlCache<FoundKey>;
  refused: TtlCache<true>;
};

const ttlMs = 5_000;
const entriesMax = 10_000;

export function makeKeyring(keySecret: string): Keyring {
  let imported: HmacKey | undefined;
  return {
    // The value is kept, not its promise: at the edge a request may not wait on another request's promise.
    secret: async () => {
      imported ??= await importHmacKey(keySecret);
      return imported;
    },
    known: ttlCache({ entriesMax, ttlMs }),
    refused: ttlCache({ entriesMax, ttlMs }),
  };
}
