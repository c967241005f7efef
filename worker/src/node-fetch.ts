import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { hostKeepAliveMs } from "#contract/host";

/** Before the host does it, by more than a request takes to get there. */
const idleConnectionMs = hostKeepAliveMs - 15_000;
/** Short answers are read in one go, which spares them a web stream. */
const bufferedMaxBytes = 1024 * 1024;

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
  const url = new URL(input instanceof Request ? input.url : input);
  const isSecure = url.protocol === "https:";
  const { body } = init;
  const bytes = body instanceof Uint8Array ? body : null;
  const message = await new Promise<IncomingMessage>((resolve, reject) => {
    const options = {
      method: init.method ?? "GET",
      headers: {
        ...Object.fromEntries(new Headers(init.headers)),
        ...(bytes && { "content-length": bytes.byteLength }),
      },
      ...(init.signal && { signal: init.signal }),
    };
    const outgoing = isSecure
      ? httpsRequest(url, { ...options, agent: agents["https:"] }, resolve)
      : httpRequest(url, { ...options, agent: agents["http:"] }, resolve);
    outgoing.on("error", reject);
    if (body instanceof ReadableStream) pipeline(Readable.fromWeb(body), outgoing).catch(reject);
    else outgoing.end(bytes ?? undefined);
  });
  return answerOf(message);
}

async function answerOf(message: IncomingMessage): Promise<Response> {
  const status = message.statusCode ?? 502;
  const headers = new Headers();
  for (const [name, value] of Object.entries(message.headers)) {
    if (typeof value === "string") headers.set(name, value);
  }
  const length = Number(message.headers["content-length"] ?? Number.NaN);
  if (status === 204 || status === 304 || length === 0) {
    message.resume();
    return new Response(null, { status, headers });
  }
  if (!(length <= bufferedMaxBytes)) return new Response(webStream(message), { status, headers });
  const chunks: Uint8Array[] = [];
  for await (const chunk of message) chunks.push(chunk);
  return new Response(new Uint8Array(Buffer.concat(chunks)), { status, headers });
}

function webStream(message: IncomingMessage): ReadableStream<Uint8Array> {
  // The same streams by two names: Node's types keep their own for the web's.
  return Readable.toWeb(message) as unknown as ReadableStream<Uint8Array>;
}
