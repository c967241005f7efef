import type { Heartbeat, HostIdentity } from "#contract/host";
import { canonicalRequest, signatureHeader } from "#contract/signature";
import { fromHex, hmac, importHmacKey, sha256Hex, toHex } from "#worker/crypto";

export const heartbeatPath = "/internal/v1/heartbeat";
export const usagePath = "/internal/v1/usage";

/** What an idle host with room says. */
export function heartbeatOf(identity: HostIdentity, nowMs: number, over: Partial<Heartbeat> = {}): Heartbeat {
  return {
    hostId: identity.hostId,
    code: identity.code,
    url: "http://127.0.0.1:1",
    takenAtMs: nowMs,
    isDraining: false,
    cores: 4,
    freeMemoryMiB: 8192,
    pools: [{ template: "base", available: 10, starting: 0 }],
    live: [],
    ended: [],
    ...over,
  };
}

/** The request that a host sends, signed as the contract says. */
export async function signedHeartbeat(
  identity: HostIdentity,
  said: unknown,
  createdMs: number,
  pathAndQuery = heartbeatPath,
): Promise<RequestInit> {
  const body = JSON.stringify(said);
  const parts = {
    method: "POST",
    hostId: identity.hostId,
    pathAndQuery,
    tenant: "-",
    sandbox: "-",
    generation: "-",
    createdMs,
    nonce: toHex(crypto.getRandomValues(new Uint8Array(12))),
    length: String(Buffer.byteLength(body)),
    bodySha256: await sha256Hex(body),
  };
  const key = await importHmacKey(fromHex(identity.key) ?? new Uint8Array(0));
  return {
    method: "POST",
    body,
    headers: {
      "content-type": "application/json",
      [signatureHeader.host]: parts.hostId,
      [signatureHeader.tenant]: parts.tenant,
      [signatureHeader.sandbox]: parts.sandbox,
      [signatureHeader.generation]: parts.generation,
      [signatureHeader.created]: String(createdMs),
      [signatureHeader.nonce]: parts.nonce,
      [signatureHeader.length]: parts.length,
      [signatureHeader.bodySha256]: parts.bodySha256,
      [signatureHeader.signature]: toHex(await hmac(key, canonicalRequest(parts))),
    },
  };
}
