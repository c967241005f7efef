import { secureRandom } from "#contract/ids";
import { canonicalRequest, signatureHeaders, unsignedPayload } from "#contract/signature";
import type { Bytes } from "../../bytes.ts";
import type { Clock } from "../../context.ts";
import { hmac, sha256Hex, toHex } from "../../crypto.ts";
import type { HostKeys } from "../../hosts/keys.ts";
import type { PortPlace } from "../provider.ts";

type Deps = { hostKeys: HostKeys; now: Clock };
export type ToSign = {
  place: PortPlace;
  method: string;
  pathAndQuery: string;
  /** `-` where the caller does not know it: the data plane. */
  generation: string;
  body: Bytes | "streamed" | null;
};

/** The headers that prove to a host that the control plane asks, for whom, and what. */
export async function signedHeaders(deps: Deps, request: ToSign): Promise<Record<string, string>> {
  const { place, method, pathAndQuery, generation, body } = request;
  const isStream = body === "streamed";
  const parts = {
    method,
    hostId: place.hostId,
    pathAndQuery,
    tenant: place.tenantId,
    sandbox: place.sandboxId,
    generation,
    createdMs: deps.now(),
    nonce: toHex(secureRandom(16)),
    length: isStream ? "-" : String(body?.byteLength ?? 0),
    bodySha256: isStream ? unsignedPayload : await sha256Hex(body ?? new Uint8Array(0)),
  };
  const mac = await hmac(await deps.hostKeys.keyOf(place.hostId), canonicalRequest(parts));
  return signatureHeaders(parts, toHex(mac));
}
