import { Agent, request as httpRequest, IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { type Duplex, PassThrough, Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { hostKeepAliveMs } from "#contract/host";
import { limits } from "#contract/limits";
import { portHeader } from "#contract/ports";
import { type Bytes, madeOf } from "./bytes.ts";

/** Before the host does it, by more than a request takes to get there. */
const idleConnectionMs = hostKeepAliveMs - 15_000;
/** Short answers are read in one go, which spares them a web stream. */
const bufferedMaxBytes = 1024 * 1024;
/** What a server in a sandbox may send, and what its host adds. */
const maxHeaderSize = limits.portAnswerHeadersMaxBytes + 16 * 1024;

/**
 * `fetch` for calls to hosts, over Node's own client: a quarter of the CPU time of the built-in one (120 us against
 * 450 us a call). Knows what such calls use: a url, plain headers, bytes or a stream, a signal, and no redirects.
 */
export function makeNodeFetch(idleMs: number): typeof fetch {
  // Only a connection that nobody uses is closed at its timeout; what is asked on one may take longer.
  const keepAlive = { keepAlive: true, maxFreeSockets: 64, timeout: idleMs };
  const agents = { "http:": new Agent(keepAlive), "https:": new HttpsAgent(keepAlive) };
  return (input, init = {}) => send(agents, input, init);
}

export const nodeFetch = makeNodeFetch(idleConnectionMs);

type Agents = { "http:": Agent; "https:": HttpsAgent };

async function send(
  agents: Agents,
  input: Parameters<typeof fetch>[0],
  init: RequestInit,
): Promise<Response> {
  const url = input instanceof URL ? input : new URL(input instanceof Request ? input.url : input);
  const given = recordOf(init.headers);
  const isSecure = url.protocol === "https:";
  const { body } = init;
  const bytes = body instanceof Uint8Array ? body : null;
  const answered = await new Promise<IncomingMessage | Response>((resolve, reject) => {
    const options = {
      method: init.method ?? "GET",
      maxHeaderSize,
      headers: bytes ? { ...given, "content-length": bytes.byteLength } : given,
      ...(init.signal && { signal: init.signal }),
    };
    const upgraded = (message: IncomingMessage, socket: Duplex, head: Buffer) =>
      resolve(upgradedResponse(headersOf(message), { socket, head }));
    const outgoing = isSecure
      ? httpsRequest(url, { ...options, agent: agents["https:"] }, resolve)
      : httpRequest(url, { ...options, agent: agents["http:"] }, resolve);
    outgoing.on("error", reject);
    if ("upgrade" in given) outgoing.once("upgrade", upgraded);
    if (body instanceof ReadableStream) pipeline(Readable.fromWeb(body), outgoing).catch(reject);
    else outgoing.end(bytes ?? undefined);
  });
  return answered instanceof IncomingMessage ? answerOf(answered) : answered;
}

/** Plain headers, by their names in small letters, are taken as they are: Node checks them too. */
function recordOf(headers: RequestInit["headers"] = {}): Record<string, string> {
  const isPlain = !(headers instanceof Headers || Array.isArray(headers));
  return isPlain ? (headers as Record<string, string>) : Object.fromEntries(new Headers(headers));
}

/** The connection of an answer that ended HTTP on it; bytes that came with the answer are in `head`. */
export type NodeWebSocket = { socket: Duplex; head: Buffer };

/** What `fetch` cannot make: an answer with status 101, and its connection, as workerd has them. */
export function upgradedResponse(headers: Headers, webSocket: NodeWebSocket): Response {
  // The constructor takes no such status, and its class may have been replaced by a faster one since we were loaded.
  return Object.defineProperties(new Response(null, { headers }), {
    status: { value: 101 },
    webSocket: { value: webSocket },
  });
}

export function webSocketOf(response: Response): NodeWebSocket | undefined {
  return (response as { webSocket?: NodeWebSocket }).webSocket;
}

function headersOf(message: IncomingMessage): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(message.headers)) {
    for (const each of typeof value === "string" ? [value] : (value ?? [])) headers.append(name, each);
  }
  return headers;
}

async function answerOf(message: IncomingMessage): Promise<Response> {
  const status = message.statusCode ?? 502;
  const headers = headersOf(message);
  const length = Number(message.headers["content-length"] ?? Number.NaN);
  if (status === 204 || status === 304 || length === 0) {
    message.resume();
    return new Response(null, { status, headers });
  }
  // What a tenant's server sends may be slow, or never come.
  const isTenants = headers.has(portHeader.answer);
  if (isTenants) return new Response(webStream(breakingLate(message)), { status, headers });
  if (!(length <= bufferedMaxBytes)) return new Response(webStream(message), { status, headers });
  const bytes = await bytesOf(message, length);
  return madeOf(bytes, new Response(bytes, { status, headers }));
}

/** All of an answer of this length. An iterator would take more time than what it iterates over. */
function bytesOf(message: IncomingMessage, length: number): Promise<Bytes> {
  return new Promise((resolve, reject) => {
    const bytes = new Uint8Array(length);
    let at = 0;
    message.on("data", (chunk: Uint8Array) => {
      bytes.set(chunk, at);
      at += chunk.byteLength;
    });
    // To a HEAD there are none.
    message.once("end", () => resolve(at === length ? bytes : bytes.subarray(0, at)));
    message.once("error", reject);
    message.once("close", () => reject(new Error("The answer ended before it was complete.")));
  });
}

const failureDelayMs = 20;

/**
 * The adapter looks at the first chunks before it begins an answer, and would make a failure that it meets there an
 * answer of its own. By this time it has begun, and is cut.
 */
function breakingLate(message: IncomingMessage): Readable {
  const passed = new PassThrough();
  message.once("error", (cause) => setTimeout(() => passed.destroy(cause), failureDelayMs));
  passed.once("close", () => message.destroy());
  return message.pipe(passed);
}

function webStream(message: Readable): ReadableStream<Uint8Array> {
  // The same streams by two names: Node's types keep their own for the web's.
  return Readable.toWeb(message) as unknown as ReadableStream<Uint8Array>;
}
