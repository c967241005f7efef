import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import type { Readable } from "node:stream";

/** The engine answered with an error status, or not at all (`status` 0). */
export class EngineError extends Error {
  readonly status: number;
  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "EngineError";
    this.status = status;
  }
}

export type EngineRequest = {
  method: "GET" | "POST" | "DELETE";
  path: string;
  body?: unknown;
  /** Sent as it is, for image imports and build contexts. */
  stream?: Readable;
  headers?: Record<string, string>;
  deadlineMs: number;
  /** Breaks the request off, for those that take minutes: the engine then stops what it does for it. */
  signal?: AbortSignal | undefined;
};

export type Engine = {
  readonly socketPath: string;
  /** Sends one request and parses the JSON answer. @throws EngineError */
  json<T>(request: EngineRequest): Promise<T>;
  /** Sends one request and returns the whole answer as text. @throws EngineError */
  text(request: EngineRequest): Promise<string>;
  /** Sends one request and hands over the answer as it arrives. @throws EngineError */
  open(request: EngineRequest): Promise<IncomingMessage>;
  close(): void;
};

const apiVersion = "v1.41"; // Docker 20.10, the oldest engine we meet; newer ones still speak it

/** The socket that `DOCKER_HOST` names, or the usual one. Only local sockets can share our file system. */
export function engineSocketPath(dockerHost: string | undefined): string {
  if (dockerHost === undefined || dockerHost === "") return "/var/run/docker.sock";
  if (dockerHost.startsWith("unix://")) return dockerHost.slice("unix://".length);
  throw new EngineError(0, "DOCKER_HOST must name a local socket, as in unix:///var/run/docker.sock.");
}

/** A client for the few engine calls we make; a full client library would bring SSH and gRPC into a root process. */
export function createEngine(socketPath: string): Engine {
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });

  async function open(call: EngineRequest): Promise<IncomingMessage> {
    const response = await send(agent, socketPath, call);
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 400) return response;
    throw new EngineError(status, engineMessage(await readAll(response)));
  }
  async function text(call: EngineRequest): Promise<string> {
    return readAll(await open(call));
  }
  async function json<T>(call: EngineRequest): Promise<T> {
    const body = await text(call);
    // The engine's answers are typed by its API version; callers name the few fields they use.
    return (body === "" ? undefined : JSON.parse(body)) as T;
  }
  return { socketPath, open, text, json, close: () => agent.destroy() };
}

function send(agent: Agent, socketPath: string, call: EngineRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const deadline = AbortSignal.timeout(call.deadlineMs);
    const payload = call.body === undefined ? undefined : JSON.stringify(call.body);
    const request = httpRequest({
      agent,
      socketPath,
      method: call.method,
      path: `/${apiVersion}${call.path}`,
      headers: {
        host: "docker",
        ...(payload !== undefined && {
          "content-type": "application/json",
          "content-length": Buffer.byteLength(payload),
        }),
        ...call.headers,
      },
      signal: call.signal ? AbortSignal.any([call.signal, deadline]) : deadline,
    });
    request.once("response", resolve);
    request.once("error", (cause) =>
      reject(
        new EngineError(0, `The Docker engine at ${socketPath} did not answer ${call.path}.`, { cause }),
      ),
    );
    if (call.stream) call.stream.once("error", (cause) => request.destroy(cause)).pipe(request);
    else request.end(payload);
  });
}

async function readAll(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

function engineMessage(body: string): string {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed === "object" && parsed !== null && "message" in parsed) return String(parsed.message);
  } catch {
    // Not JSON: the text itself is the message.
  }
  return body.slice(0, 500);
}
