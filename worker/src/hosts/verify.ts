import * as z from "zod";
import { HostId } from "#contract/ids";
import { limits } from "#contract/limits";
import { canonicalRequest, signatureHeader } from "#contract/signature";
import type { Clock } from "../context.ts";
import { fromHex, hmacMatches, sha256Hex } from "../crypto.ts";
import { AppError } from "../errors.ts";
import type { HostKeys } from "./keys.ts";

type Deps = { hostKeys: HostKeys; now: Clock };
type SignedRequest = {
  method: string;
  pathAndQuery: string;
  headers: Headers;
  readBody: () => Promise<Uint8Array<ArrayBuffer>>;
};

const Signed = z.object({
  host: HostId,
  created: z
    .string()
    .regex(/^\d{1,15}$/)
    .transform(Number),
  nonce: z.string().regex(/^[A-Za-z0-9_-]{8,128}$/),
  length: z.string().regex(/^\d{1,15}$/),
  /** A body that is not signed has no digest here, and is refused. */
  bodySha256: z.string().regex(/^[0-9a-f]{64}$/),
  signature: z.string().regex(/^[0-9a-f]{64}$/),
});

/**
 * Checks that a host of ours signed this request within the signature window, then that the body is the signed one:
 * whoever cannot sign must not make us hold a body. Replays are the caller's to refuse, by
 * `createdMs`, which must rise from one accepted request to the next.
 * @throws AppError `unauthenticated`
 */
export async function verifyHostRequest(deps: Deps, request: SignedRequest) {
  const header = (name: keyof typeof signatureHeader) => request.headers.get(signatureHeader[name]);
  const signed = Signed.safeParse({
    host: header("host"),
    created: header("created"),
    nonce: header("nonce"),
    length: header("length"),
    bodySha256: header("bodySha256"),
    signature: header("signature"),
  });
  if (!signed.success) throw refused("The request is not signed by a host.");
  const { host: hostId, created: createdMs, nonce, length, bodySha256, signature } = signed.data;
  if (Math.abs(deps.now() - createdMs) > limits.signatureWindowMs) {
    throw refused("The signature is too old or too new; check the clocks.");
  }
  const canonical = canonicalRequest({
    method: request.method,
    hostId,
    pathAndQuery: request.pathAndQuery,
    tenant: header("tenant") ?? "-",
    sandbox: header("sandbox") ?? "-",
    generation: header("generation") ?? "-",
    createdMs,
    nonce,
    length,
    bodySha256,
  });
  const mac = fromHex(signature);
  if (!mac || !(await hmacMatches(await deps.hostKeys.keyOf(hostId), mac, canonical))) {
    throw refused("The signature does not match.");
  }
  const body = await request.readBody();
  if (String(body.byteLength) !== length || (await sha256Hex(body)) !== bodySha256) {
    throw refused("The body is not the one that was signed.");
  }
  return { hostId, createdMs, body };
}

function refused(sentence: string): AppError {
  return new AppError("unauthenticated", sentence);
}
