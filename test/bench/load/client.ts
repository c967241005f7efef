import type { ExecResult } from "#contract/exec";
import type { CreateSandbox, Sandbox } from "#contract/sandbox";
import { Connection } from "./connection.ts";
import { type Answer, headerOf, type OnPart } from "./response.ts";

export type Created = { id: string; requestId: string };

const json = "application/json";
const bytes = "application/octet-stream";
const none = Buffer.alloc(0);

/** The API over raw connections, as many as are in use at once. Each answer's status is looked at. */
export class BenchClient {
  readonly #url: string;
  readonly #key: string;
  readonly #idle: Connection[] = [];

  constructor(url: string, key: string) {
    this.#url = url;
    this.#key = key;
  }

  async create(input: CreateSandbox = {}): Promise<Created> {
    const { head, body } = await this.#call("POST", "/v1/sandboxes", jsonOf(input), json);
    const { id } = parse<Sandbox>(body);
    return { id, requestId: headerOf(head, "x-request-id") ?? "" };
  }
  async delete(id: string): Promise<void> {
    await this.#call("DELETE", `/v1/sandboxes/${id}`);
  }
  async get(id: string): Promise<Sandbox> {
    return parse((await this.#call("GET", `/v1/sandboxes/${id}`)).body);
  }
  async exec(id: string, command: string[]): Promise<ExecResult> {
    const { body } = await this.#call("POST", `/v1/sandboxes/${id}/exec`, jsonOf({ command }), json);
    return parse(body);
  }
  async write(id: string, path: string, content: Buffer): Promise<void> {
    await this.#call("PUT", `/v1/sandboxes/${id}/files?path=${path}`, content, bytes);
  }
  async read(id: string, path: string): Promise<Buffer> {
    return (await this.#call("GET", `/v1/sandboxes/${id}/files?path=${path}`)).body;
  }
  /** Compares as it reads: to hold a large file twice would be measured as well. @throws Error when it is another */
  async readExpecting(id: string, path: string, expected: Buffer): Promise<void> {
    let at = 0;
    let isSame = true;
    await this.#send([this.request("GET", `/v1/sandboxes/${id}/files?path=${path}`)], (part) => {
      isSame &&= part.equals(expected.subarray(at, at + part.length));
      at += part.length;
    });
    if (!isSame || at !== expected.length) throw new Error("A file came back changed.");
  }

  /** Makes a request once that is sent many times. */
  request(method: string, path: string, body: Buffer = none, type?: string): Buffer {
    return Buffer.concat([this.#head(method, path, body, type), body]);
  }

  #head(method: string, path: string, body: Buffer, type: string | undefined): Buffer {
    const lines = [
      `${method} ${path} HTTP/1.1`,
      `host: ${new URL(this.#url).host}`,
      `authorization: Bearer ${this.#key}`,
      ...(type === undefined ? [] : [`content-type: ${type}`, `content-length: ${body.length}`]),
      "\r\n",
    ];
    return Buffer.from(lines.join("\r\n"));
  }

  /** The request of a command, made once. */
  execRequest(id: string, command: string[]): Buffer {
    return this.request("POST", `/v1/sandboxes/${id}/exec`, jsonOf({ command }), json);
  }

  /** Sends what was made before. @throws Error with the answer, unless it is a success */
  send(request: Buffer): Promise<Answer> {
    return this.#send([request]);
  }

  async #send(request: readonly Buffer[], onPart?: OnPart): Promise<Answer> {
    const connection = await this.#connection();
    const answer = await connection.send(request, onPart);
    this.#idle.push(connection);
    if (answer.status >= 200 && answer.status < 300) return answer;
    const [head = none] = request;
    const line = head.toString("latin1", 0, head.indexOf(" HTTP/1.1"));
    throw new Error(`${line} answered ${answer.status}: ${answer.body.toString()}`);
  }

  close(): void {
    for (const connection of this.#idle.splice(0)) connection.close();
  }

  /** A body goes as it is: copying a large one would be measured as well. */
  #call(method: string, path: string, body: Buffer = none, type?: string): Promise<Answer> {
    return this.#send([this.#head(method, path, body, type), body]);
  }

  /** The one that was used last, so that no more stay open than are needed. */
  async #connection(): Promise<Connection> {
    for (let idle = this.#idle.pop(); idle; idle = this.#idle.pop()) if (idle.isOpen) return idle;
    return Connection.open(this.#url);
  }
}

const jsonOf = (value: unknown) => Buffer.from(JSON.stringify(value));

/** The contract's own tests check the shapes; here they would only cost time. */
function parse<T>(answer: Buffer): T {
  return JSON.parse(answer.toString()) as T;
}
