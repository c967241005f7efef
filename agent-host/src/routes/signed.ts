import type { HttpBindings } from "@hono/node-server";
import { createMiddleware } from "hono/factory";
import type { Logger } from "pino";
import { limits } from "#contract/limits";
import { signatureHeader, unsignedPayload } from "#contract/signature";
import { HostError } from "../errors.ts";
import { isPortPath, loggablePath } from "../ports/address.ts";
import { findSignatureFault, type ReceivedRequest, type VerifyDeps } from "../signing/verify.ts";

export type SignedEnv = {
  Bindings: HttpBindings;
  Variables: {
    tenantId: string;
    sandbox: string;
    generation: string;
    /** The body; absent for an upload, which is streamed. */
    body: Buffer | undefined;
    /** Of an answer that was written past the app. */
    passedOnStatus: number | undefined;
  };
};
export type SignedDeps = { verify: VerifyDeps; log: Logger };

/** Lets only the control plane in; why somebody was refused is for the log. */
export function signed(deps: SignedDeps) {
  return createMiddleware<SignedEnv>(async (c, next) => {
    const header = (name: string) => c.req.header(name) ?? "";
    const { method } = c.req;
    const url = new URL(c.req.url);
    const isUnsigned = header(signatureHeader.bodySha256) === unsignedPayload;
    const isStream = isUnsigned && (method === "PUT" || isPortPath(url.pathname));
    const body = isStream ? undefined : await readBody(c.req.raw);
    const { remoteAddress } = c.env.incoming.socket;
    const request = assertSigned(deps, { method, url, header, body, remoteAddress });
    c.set("tenantId", request.tenant);
    c.set("sandbox", request.sandbox);
    c.set("generation", request.generation);
    c.set("body", body);
    await next();
  });
}

type Received = {
  method: string;
  url: URL;
  header: (name: string) => string;
  body: Buffer | undefined;
  remoteAddress: string | undefined;
};

/** @throws HostError `unauthenticated` */
export function assertSigned(
  deps: SignedDeps,
  { method, url, header, body, remoteAddress }: Received,
): ReceivedRequest {
  const request = {
    method,
    hostId: header(signatureHeader.host),
    pathAndQuery: url.pathname + url.search,
    tenant: header(signatureHeader.tenant),
    sandbox: header(signatureHeader.sandbox),
    generation: header(signatureHeader.generation),
    createdMs: Number(header(signatureHeader.created)),
    nonce: header(signatureHeader.nonce),
    length: header(signatureHeader.length),
    bodySha256: header(signatureHeader.bodySha256),
    signature: header(signatureHeader.signature),
    body,
    isPrivatePath: isLoopback(remoteAddress),
  };
  const fault = findSignatureFault(deps.verify, request);
  if (!fault) return request;
  deps.log.warn({ fault, method, path: loggablePath(url.pathname) }, "an unsigned request was refused");
  throw new HostError("unauthenticated", "The request is not signed by this host's control plane.");
}

/** The server delivers what was declared and no more, so that much is read in one go: no web stream is made for it. */
async function readBody(request: Request): Promise<Buffer> {
  const declared = Number(request.headers.get("content-length") ?? Number.NaN);
  if (declared > limits.jsonBodyMaxBytes) throw tooLarge();
  if (!Number.isNaN(declared)) return Buffer.from(await request.arrayBuffer());
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of hasNoBody(request.method) ? [] : (request.body ?? [])) {
    bytes += chunk.byteLength;
    if (bytes > limits.jsonBodyMaxBytes) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

const hasNoBody = (method: string) => method === "GET" || method === "HEAD";
const tooLarge = () => new HostError("payload_too_large", "The body is too large.");

const isLoopback = (address: string | undefined) =>
  address !== undefined && (address === "::1" || /^(::ffff:)?127\./.test(address));
