import { Agent, request } from "node:http";
import type { ExecResult } from "#contract/exec";
import type { Sandbox } from "#contract/sandbox";

/**
 * The API over Node's plain client and kept connections. The built-in `fetch` takes more processor time per call than
 * the control plane does, which on a machine with two cores would be measured as the service's.
 */
export class BenchClient {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  readonly #url: string;
  readonly #key: string;

  constructor(url: string, key: string) {
    this.#url = url;
    this.#key = key;
  }

  async create(): Promise<Sandbox> {
    return parse(await this.#call("POST", "/v1/sandboxes", Buffer.from("{}"), "application/json"));
  }
  async delete(id: string): Promise<void> {
    await this.#call("DELETE", `/v1/sandboxes/${id}`);
  }
  async exec(id: string, command: string[]): Promise<ExecResult> {
    const body = Buffer.from(JSON.stringify({ command }));
    return parse(await this.#call("POST", `/v1/sandboxes/${id}/exec`, body, "application/json"));
  }
  async write(id: string, path: string, content: Buffer): Promise<void> {
    await this.#call("PUT", `/v1/sandboxes/${id}/files?path=${path}`, content, "application/octet-stream");
  }
  read(id: string, path: string): Promise<Buffer> {
    return this.#call("GET", `/v1/sandboxes/${id}/files?path=${path}`);
  }

  /** Compares as it reads: to hold a large file twice would be measured as well. */
  async readExpecting(id: string, path: string, expected: Buffer): Promise<void> {
    let at = 0;
    let isSame = true;
    const url = `/v1/sandboxes/${id}/files?path=${path}`;
    await this.#call("GET", url, undefined, undefined, (chunk) => {
      isSame &&= chunk.equals(expected.subarray(at, at + chunk.length));
      at += chunk.length;
    });
    if (!isSame || at !== expected.length) throw new Error("A file came back changed.");
  }

  #call(
    method: string,
    path: string,
    body?: Buffer,
    type?: string,
    onChunk?: (chunk: Buffer) => void,
  ): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const headers = {
        authorization: `Bearer ${this.#key}`,
        ...(type && { "content-type": type }),
        ...(body && { "content-length": body.length }),
      };
      const outgoing = request(this.#url + path, { agent: this.#agent, method, headers }, (response) => {
        const chunks: Buffer[] = [];
        const isFine = (response.statusCode ?? 500) < 300;
        response.on("data", isFine && onChunk ? onChunk : (chunk: Buffer) => chunks.push(chunk));
        response.once("error", reject);
        response.once("end", () => {
          const answer = Buffer.concat(chunks);
          if (isFine) resolve(answer);
          else reject(new Error(`${method} ${path} answered ${response.statusCode}: ${answer.toString()}`));
        });
      });
      outgoing.once("error", reject);
      outgoing.end(body);
    });
  }
}

/** The contract's own tests check the shapes; here they would only cost time. */
function parse<T>(answer: Buffer): T {
  return JSON.parse(answer.toString()) as T;
}
