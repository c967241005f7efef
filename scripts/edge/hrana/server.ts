import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Stream } from "./stream.ts";
import { Pipeline, type StreamResult } from "./wire.ts";
import { writeLock } from "./write-lock.ts";

export type HranaServer = { url: string; openStreams: () => number; close: () => Promise<void> };
export type HranaOptions = {
  /** The database file. */
  path: string;
  /** Clients prove themselves with this as a bearer token. */
  token: string;
  port?: number;
  /** A stream that nobody continues for this long is closed, which rolls back its transaction. */
  idleMs?: number;
};

type Open = { stream: Stream; timer?: NodeJS.Timeout };

const defaultIdleMs = 10_000;
const bodyMaxBytes = 16 * 1024 * 1024;
const streamsMax = 256;
const batonBytes = 16;

/**
 * A libSQL server for one machine: Hrana 2 and 3 over HTTP on loopback, over the embedded engine. It stands in for
 * Turso and sqld wherever the control plane is to be tried as it runs at the edge.
 */
export async function startHrana(options: HranaOptions): Promise<HranaServer> {
  const streams = new Map<string, Open>();
  const lock = writeLock();
  const idleMs = options.idleMs ?? defaultIdleMs;
  // Makes the file before the first request, so that a path which cannot be used is told at once.
  new Stream(options.path, lock).close();

  const take = (baton: string | null | undefined): Stream | undefined => {
    if (!baton) return streams.size < streamsMax ? new Stream(options.path, lock) : undefined;
    const open = streams.get(baton);
    // A baton is good for one request; what comes back carries the next.
    streams.delete(baton);
    clearTimeout(open?.timer);
    return open?.stream;
  };
  const keep = (stream: Stream): string => {
    const baton = randomBytes(batonBytes).toString("base64url");
    const expire = () => {
      streams.delete(baton);
      stream.close();
    };
    streams.set(baton, { stream, timer: setTimeout(expire, idleMs).unref() });
    return baton;
  };
  const runPipeline = async (body: Buffer) => {
    const pipeline = Pipeline.safeParse(jsonOf(body));
    if (!pipeline.success) return { status: 400, json: { message: "The pipeline is not valid." } };
    const stream = take(pipeline.data.baton);
    if (!stream)
      return { status: 400, json: { message: "The baton is not known, or too many streams are open." } };
    const results: StreamResult[] = [];
    for (const request of pipeline.data.requests) results.push(await stream.run(request));
    const baton = stream.isClosed ? null : keep(stream);
    return { status: 200, json: { baton, base_url: null, results } };
  };

  const server = createServer((request, response) => {
    answer(request, options.token, runPipeline)
      .then(({ status, json }) => send(response, status, json))
      .catch(() => send(response, 500, { message: "The request failed." }));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(options.port ?? 0, "127.0.0.1", resolve);
  });
  return {
    // An address of a TCP server, never a pipe's.
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    openStreams: () => streams.size,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      for (const { stream, timer } of streams.values()) {
        clearTimeout(timer);
        stream.close();
      }
      streams.clear();
    },
  };
}

type Answer = { status: number; json: unknown };

async function answer(
  request: IncomingMessage,
  token: string,
  runPipeline: (body: Buffer) => Promise<Answer>,
): Promise<Answer> {
  if (!isAuthorized(request.headers.authorization, token))
    return { status: 401, json: { message: "A valid token is needed." } };
  if (request.method === "GET" && /^\/v[23]\/?$/.test(request.url ?? "")) return { status: 200, json: {} };
  if (request.method !== "POST" || !/^\/v[23]\/pipeline$/.test(request.url ?? ""))
    return { status: 404, json: { message: "There is nothing at this address." } };
  const body = await readBody(request);
  return body ? runPipeline(body) : { status: 413, json: { message: "The body is too large." } };
}

function isAuthorized(header: string | undefined, token: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(header ?? ""), digest(`Bearer ${token}`));
}

async function readBody(request: IncomingMessage): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.byteLength;
    if (bytes > bodyMaxBytes) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
}

function send(response: ServerResponse, status: number, json: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(json));
}
