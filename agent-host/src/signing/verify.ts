import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { limits } from "#contract/limits";
import { canonicalRequest, type SignedParts, unsignedPayload } from "#contract/signature";
import type { NonceWindow } from "./nonces.ts";

export type VerifyDeps = {
  hostId: string;
  key: Buffer;
  /** Requests made before this host began may have been answered by its predecessor. */
  startedAtMs: number;
  nonces: NonceWindow;
  now: () => number;
};
export type ReceivedRequest = SignedParts & {
  signature: string;
  /** The body, where it was read before the check; streamed bodies are not. */
  body: Buffer | undefined;
  /** Over TLS or loopback nobody in between could have changed an unsigned body. */
  isPrivatePath: boolean;
};

/** Checks a request of the control plane. @returns what is wrong, for the log, or undefined. */
export function findSignatureFault(deps: VerifyDeps, request: ReceivedRequest): string | undefined {
  if (request.hostId !== deps.hostId) return "another host is meant";
  const nowMs = deps.now();
  if (!Number.isSafeInteger(request.createdMs)) return "created is not a time";
  if (Math.abs(nowMs - request.createdMs) > limits.signatureWindowMs)
    return "created is outside of the window";
  if (request.createdMs < deps.startedAtMs) return "created before this host began";
  const expected = createHmac("sha256", deps.key).update(canonicalRequest(request)).digest();
  const given = Buffer.from(request.signature, "hex");
  if (given.length !== expected.length || !timingSafeEqual(given, expected))
    return "the signature does not match";
  const bodyFault = findBodyFault(request);
  if (bodyFault) return bodyFault;
  // Last, so that only authentic requests take room in the window.
  return deps.nonces.isFresh(request.nonce, request.createdMs, nowMs)
    ? undefined
    : "the nonce was seen before";
}

function findBodyFault(request: ReceivedRequest): string | undefined {
  if (request.bodySha256 === unsignedPayload) {
    return request.isPrivatePath ? undefined : "an unsigned body over a path that is not private";
  }
  const body = request.body ?? Buffer.alloc(0);
  if (String(body.length) !== request.length) return "the length does not match";
  const hash = createHash("sha256").update(body).digest("hex");
  return hash === request.bodySha256 ? undefined : "the body does not match";
}
