import { createHash, createHmac, randomBytes } from "node:crypto";
import { canonicalRequest, signatureHeaders } from "#contract/signature";

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
  const signature = createHmac("sha256", identity.key).update(canonicalRequest(parts)).digest("hex");
  return signatureHeaders(parts, signature);
}
