import type { ExecRequest, ExecResult } from "#contract/exec";
import type { CreateSandbox, Sandbox } from "#contract/sandbox";

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

const filesPath = (id: string, path: string) => `/v1/sandboxes/${id}/files?path=${encodeURIComponent(path)}`;
