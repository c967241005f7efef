import type { HostId } from "#contract/ids";
import { type HmacKey, hmac, importHmacKey } from "../crypto.ts";

/** Hands out the key that a host and the control plane sign with. */
export type HostKeys = {
  keyOf: (hostId: HostId) => Promise<HmacKey>;
  /** The raw 32 bytes, for the host's own `host.json`. */
  rawKeyOf: (hostId: HostId) => Promise<Uint8Array<ArrayBuffer>>;
};

const importedMax = 1_000;

/** Each host's key is derived from one secret, so nothing secret is stored per host. */
export function makeHostKeys(hostSecret: string): HostKeys {
  const imported = new Map<HostId, HmacKey>();
  const rawKeyOf = async (hostId: HostId) => hmac(await importHmacKey(hostSecret), hostId);
  return {
    rawKeyOf,
    async keyOf(hostId) {
      const known = imported.get(hostId);
      if (known) return known;
      const key = await importHmacKey(await rawKeyOf(hostId));
      // Anyone may name a host id before a signature is checked, so the map is bounded.
      if (imported.size >= importedMax) imported.clear();
      imported.set(hostId, key);
      return key;
    },
  };
}
