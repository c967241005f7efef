import { createHash, createHmac, randomBytes } from "node:crypto";
import { canonicalRequest, signatureHeader } from "#contract/signature";

/** Headers that sign a host's own request to the control plane. */
export function signedHeaders(
  identity: { hostId: string; key: Buffer },
  request: { method: string; pathAndQuery: string; body: string; nowMs: number },
): Record<string, string> {
  const parts = {
    method: request.method,
    hostId: identity.hostId,
    pathAndQuery: request.pathAndQuery,
    tenant: "-",
    sandbox: "-",
    generation: "-",
    createdMs: request.nowMs,
    nonce: randomBytes(16).toString("hex"),
    length: String(Buffer.byteLength(request.body)),
    bodySha256: createHash("sha256").update(request.body).digest("hex"),
  };
  return {
    [signatureHeader.host]: parts.hostId,
    [signatureHeader.tenant]: parts.tenant,
    [signatureHeader.sandbox]: parts.sandbox,
    [signatureHeader.generation]: parts.generation,
    [signatureHeader.created]: String(parts.createdMs),
    [signatureHeader.nonce]: parts.nonce,
    [signatureHeader.length]: parts.length,
    [signatureHeader.bodySha256]: parts.bodySha256,
    [signatureHeader.signature]: createHmac("sha256", identity.key)
      .update(canonicalRequest(parts))
      .digest("hex"),
  };
}
