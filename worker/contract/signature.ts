/**
 * What is signed between the control plane and a host, in both directions: HMAC-SHA256 over these lines under the
 * host's own key, `HMAC(SANDGATE_HOST_SECRET, hostId)`. The side that checks refuses a `created` outside of
 * `limits.signatureWindowMs`, one older than its own start, and a nonce that it has seen.
 */
export type SignedParts = {
  method: string;
  hostId: string;
  /** Path and query exactly as they are sent. */
  pathAndQuery: string;
  /** The tenant that the caller acts for; `-` where there is none. */
  tenant: string;
  sandbox: string;
  generation: string;
  createdMs: number;
  nonce: string;
  /** Decimal bytes, or `-` for a streamed body. */
  length: string;
  /** Hex SHA-256 of the body, or `UNSIGNED-PAYLOAD` (over TLS or loopback only). */
  bodySha256: string;
};

export const unsignedPayload = "UNSIGNED-PAYLOAD";

export const signatureHeader = {
  host: "x-sandgate-host",
  tenant: "x-sandgate-tenant",
  sandbox: "x-sandgate-sandbox",
  generation: "x-sandgate-generation",
  created: "x-sandgate-created",
  nonce: "x-sandgate-nonce",
  length: "x-sandgate-length",
  bodySha256: "x-sandgate-content-sha256",
  signature: "x-sandgate-signature",
} as const;

export const requestIdHeader = "x-request-id";

export function canonicalRequest(parts: SignedParts): string {
  return [
    "sandgate-request-1",
    parts.method,
    parts.hostId,
    parts.pathAndQuery,
    parts.tenant,
    parts.sandbox,
    parts.generation,
    String(parts.createdMs),
    parts.nonce,
    parts.length,
    parts.bodySha256,
  ].join("\n");
}

/** The headers that carry signed parts; `signature` is the hex HMAC of their canonical form. */
export function signatureHeaders(parts: SignedParts, signature: string): Record<string, string> {
  return {
    [signatureHeader.host]: parts.hostId,
    [signatureHeader.tenant]: parts.tenant,
    [signatureHeader.sandbox]: parts.sandbox,
    [signatureHeader.generation]: parts.generation,
    [signatureHeader.created]: String(parts.createdMs),
    [signatureHeader.nonce]: parts.nonce,
    [signatureHeader.length]: parts.length,
    [signatureHeader.bodySha256]: parts.bodySha256,
    [signatureHeader.signature]: signature,
  };
}
