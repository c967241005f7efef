import type { ExecRequest, ExecResult } from "#contract/exec";
import type {
  Process,
  ProcessList,
  ProcessRequest,
  SessionExecRequest,
  SessionRequest,
  SessionResult,
  SignalRequest,
  TerminalSize,
} from "#contract/process";
import type { CreateSandbox, Sandbox } from "#contract/sandbox";
import { eventsOf, type ServerEvent } from "./events.ts";

export type Stream = {
  response: Response;
  execId: string;
  events: AsyncGenerator<ServerEvent>;
  disconnect: () => void;
};
type Body = Uint8Array | string | object;

/** The public API as a tenant calls it; `expect*` calls throw with the API's own words when they are refused. */
export class Api {
  readonly url: string;
  readonly key: string;
  constructor(url: string, key: string) {
    this.url = url;
    this.key = key;
  }

  /** Any call, whatever it answers. */
  call(method: string, path: string, body?: Body): Promise<Response> {
    const isBytes = body instanceof Uint8Array || typeof body === "string";
    return fetch(this.url + path, {
      method,
      headers: {
        authorization: `Bearer ${this.key}`,
        ...(body !== undefined && {
          "content-type": isBytes ? "application/octet-stream" : "application/json",
        }),
      },
      ...(body !== undefined && { body: isBytes ? new Uint8Array(Buffer.from(body)) : JSON.stringify(body) }),
    });
  }

  async create(input: CreateSandbox = {}): Promise<Sandbox> {
    return (await this.#ok("POST", "/v1/sandboxes", input)).json() as Promise<Sandbox>;
  }
  async get(id: string): Promise<Sandbox> {
    return (await this.#ok("GET", `/v1/sandboxes/${id}`)).json() as Promise<Sandbox>;
  }
  async delete(id: string): Promise<void> {
    await this.#ok("DELETE", `/v1/sandboxes/${id}`);
  }
  async exec(
    id: string,
    command: ExecRequest["command"],
    over: Partial<ExecRequest> = {},
  ): Promise<ExecResult> {
    const response = await this.#ok("POST", `/v1/sandboxes/${id}/exec`, { command, ...over });
    return response.json() as Promise<ExecResult>;
  }
  /** A command's answer as a stream, with the abort that ends the connection. */
  async stream(
    id: string,
    request: Partial<ExecRequest> & Pick<ExecRequest, "command">,
    query = "",
  ): Promise<Stream> {
    return this.#streamed(`/v1/sandboxes/${id}/exec${query}`, {
      method: "POST",
      headers: { accept: "text/event-stream", "content-type": "application/json" },
      body: JSON.stringify(request),
    });
  }
  /** Reads a stream on after an event. */
  async follow(id: string, execId: string, after?: number): Promise<Stream> {
    const headers = after === undefined ? undefined : { "last-event-id": String(after) };
    return this.#streamed(`/v1/sandboxes/${id}/exec/${execId}`, headers ? { headers } : {});
  }
  async start(id: string, request: ProcessRequest): Promise<Process> {
    return (await this.#ok("POST", `/v1/sandboxes/${id}/processes`, request)).json() as Promise<Process>;
  }
  async processes(id: string): Promise<Process[]> {
    const response = await this.#ok("GET", `/v1/sandboxes/${id}/processes`);
    return ((await response.json()) as ProcessList).items;
  }
  async process(id: string, name: string | number): Promise<Process> {
    return (await this.#ok("GET", processPath(id, name))).json() as Promise<Process>;
  }
  async killProcess(id: string, name: string | number): Promise<void> {
    await this.#ok("DELETE", processPath(id, name));
  }
  /** Bytes for its input, and its end where `query` says so. */
  async input(id: string, name: string | number, bytes: Uint8Array | string, query = ""): Promise<void> {
    await this.#ok("POST", `${processPath(id, name)}/stdin${query}`, bytes);
  }
  async signal(id: string, name: string | number, request: SignalRequest): Promise<void> {
    await this.#ok("POST", `${processPath(id, name)}/signal`, request);
  }
  async openSession(id: string, request: SessionRequest = {}): Promise<Process> {
    return (await this.#ok("POST", `/v1/sandboxes/${id}/sessions`, request)).json() as Promise<Process>;
  }
  async inSession(
    id: string,
    session: string,
    command: string,
    over: Partial<SessionExecRequest> = {},
  ): Promise<SessionResult> {
    const path = `/v1/sandboxes/${id}/sessions/${session}/exec`;
    return (await this.#ok("POST", path, { command, ...over })).json() as Promise<SessionResult>;
  }
  async resize(id: string, name: string | number, size: TerminalSize): Promise<void> {
    await this.#ok("POST", `${processPath(id, name)}/resize`, size);
  }
  /** Reads what a process prints, after an event. */
  async attach(id: string, name: string | number, after = 0): Promise<Stream> {
    return this.#streamed(`${processPath(id, name)}/events?after=${after}`, {});
  }
  async watch(id: string, path: string, recursive = false): Promise<Stream> {
    const query = new URLSearchParams({ path, ...(recursive && { recursive: "true" }) });
    return this.#streamed(`/v1/sandboxes/${id}/watch?${query}`, {});
  }
  async #streamed(path: string, init: RequestInit & { headers?: Record<string, string> }): Promise<Stream> {
    const abort = new AbortController();
    const response = await fetch(this.url + path, {
      ...init,
      headers: { ...init.headers, authorization: `Bearer ${this.key}` },
      signal: abort.signal,
    });
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
    return {
      response,
      execId: response.headers.get("x-sandgate-exec-id") ?? "",
      events: eventsOf(response.body),
      disconnect: () => abort.abort(),
    };
  }

  async write(id: string, path: string, content: Uint8Array | string): Promise<void> {
    await this.#ok("PUT", filesPath(id, path), content);
  }
  async read(id: string, path: string): Promise<Buffer> {
    return Buffer.from(await (await this.#ok("GET", filesPath(id, path))).arrayBuffer());
  }

  async #ok(method: string, path: string, body?: Body): Promise<Response> {
    const response = await this.call(method, path, body);
    if (response.ok) return response;
    throw new Error(`${method} ${path} answered ${response.status}: ${await response.text()}`);
  }
}

const processPath = (id: string, name: string | number) => `/v1/sandboxes/${id}/processes/${name}`;
const filesPath = (id: string, path: string) => `/v1/sandboxes/${id}/files?path=${encodeURIComponent(path)}`;
