import type { KeyId } from "#contract/ids";
import { limits } from "#contract/limits";
import { headersFromPort, headersToPort, type PortOrigin, rebaseLocation } from "#contract/port-headers";
import { portHeader } from "#contract/ports";
import { withoutProtocolKeys } from "../auth/protocol-key.ts";
import { type Bytes, boundStream, brokenOff, inTime, tooLarge } from "../bytes.ts";
import type { RequestCtx } from "../context.ts";
import type { PortPlace, PortRequest, SandboxProvider } from "../providers/provider.ts";

/** How a runtime passes things on: a WebSocket, and a body that must not look whole where it broke off. */
export type Passage = {
  handshake(headers: Headers): Record<string, string>;
  /**
   * @param headers what may pass of the server's own
   * @param onEnd called when the WebSocket is over, where the runtime notices
   */
  handOn(answer: Response, headers: Headers, onEnd: () => void): Response;
  /** @param bytes how many it says it has */
  sized(body: ReadableStream<Uint8Array>, bytes: number): ReadableStream<Uint8Array>;
};
export type PortDeps = { provider: SandboxProvider; passage: Passage; isPublicHttps: boolean };
export type PortWish = {
  request: Request;
  port: number;
  /** Path and query as the server is to see them. */
  target: string;
  origin: PortOrigin;
  /** What stands before `target` in the client's address; none on a host name. */
  prefix: string;
  keyId: KeyId | null;
  /** When what was shown ends by itself. */
  untilMs: number | null;
  /** Called when a WebSocket that was opened is over. */
  onEnd?: () => void;
};

/** Past its own deadlines a host is not heard of any more. */
const graceMs = 10_000;
const nullBodyStatuses = [204, 205, 304];

/**
 * Sends a client's request to a server in a sandbox, and makes an answer for the client out of the server's.
 * @throws AppError with the codes of the `usePort` row
 */
export async function sendToPort(
  deps: PortDeps,
  ctx: RequestCtx,
  place: PortPlace,
  wish: PortWish,
): Promise<Response> {
  const { request, port, target, keyId, untilMs } = wish;
  const handshake = isHandshake(request)
    ? deps.passage.handshake(withoutProtocolKeys(request.headers))
    : null;
  const headers = {
    ...Object.fromEntries(headersToPort(request.headers, wish.origin)),
    ...forwardedHeaders(deps, wish),
  };
  const { body, bodyBytes } = await bodyOf(request);
  const asked: PortRequest = {
    port,
    method: request.method,
    target,
    headers,
    body,
    bodyBytes,
    keyId,
    untilMs,
    handshake,
  };
  // A streamed body has its own time; the host watches that something moves.
  const deadlineMs =
    body instanceof ReadableStream ? limits.fileWriteDeadlineMs : limits.portAnswerMs + graceMs;
  const call = { requestId: ctx.requestId, deadlineMs, ...(ctx.signal && { signal: ctx.signal() }) };
  const answer = await deps.provider.requestPort(place, asked, call);
  return answerFrom(deps, answer, wish);
}

/** Whether the client asks to speak WebSocket; any other protocol is not offered, which is an answer too. */
export function isHandshake({ method, headers }: Request): boolean {
  return method === "GET" && headers.get("upgrade")?.toLowerCase() === "websocket";
}

/** Where the client thinks that it is; nothing of who the client is. */
function forwardedHeaders(
  { isPublicHttps }: PortDeps,
  { request, prefix }: PortWish,
): Record<string, string> {
  const { host, protocol } = new URL(request.url);
  return {
    "x-forwarded-host": host,
    "x-forwarded-proto": isPublicHttps ? "https" : protocol.slice(0, -1),
    ...(prefix !== "" && { "x-forwarded-prefix": prefix }),
  };
}

type Body = { body: Bytes | ReadableStream<Uint8Array> | null; bodyBytes: number | null };

/** A short body that says so is read, so that it can be signed; everything else flows, as its sender sends it. */
async function bodyOf(request: Request): Promise<Body> {
  if (request.body === null) return { body: null, bodyBytes: null };
  const said = request.headers.get("content-length");
  const bodyBytes = said !== null && /^\d{1,15}$/.test(said) ? Number(said) : null;
  if (bodyBytes !== null && bodyBytes > limits.portRequestMaxBytes)
    throw tooLarge(limits.portRequestMaxBytes);
  if (bodyBytes === null || bodyBytes > limits.signedBodyMaxBytes)
    return { body: boundStream(request.body, limits.portRequestMaxBytes), bodyBytes };
  const read = request.arrayBuffer().catch((cause: unknown) => {
    throw brokenOff(cause);
  });
  return { body: new Uint8Array(await inTime(read, limits.bodyDeadlineMs)), bodyBytes: null };
}

async function answerFrom(
  { passage }: PortDeps,
  answer: Response,
  { request, port, target, origin, prefix, onEnd = () => undefined }: PortWish,
): Promise<Response> {
  const rebase = (location: string) => rebaseLocation(location, { url: request.url, prefix, target, port });
  const headers = new Headers();
  for (const [name, value] of headersFromPort(answer.headers, origin, rebase)) headers.append(name, value);
  headers.set(portHeader.answer, String(port));
  if (answer.status === 101) return passage.handOn(answer, headers, onEnd);
  const isBodiless = request.method === "HEAD" || nullBodyStatuses.includes(answer.status);
  if (isBodiless) await answer.body?.cancel();
  const said = headers.get("content-length");
  const isSized = said !== null && !headers.has("content-encoding");
  const body = isBodiless ? null : answer.body;
  const passed = body && isSized ? passage.sized(body, Number(said)) : body;
  return new Response(passed, { status: answer.status, headers });
}
