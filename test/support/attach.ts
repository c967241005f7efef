import { WebSocket } from "ws";
import { type AttachCommand, type AttachMessage, attachProtocol } from "#contract/attach";
import type { Api } from "./api.ts";

type Of<T extends AttachMessage["type"]> = Extract<AttachMessage, { type: T }>;
type Way = { after?: number; protocols?: string[]; headers?: Record<string, string> };

/** A client in front of a process, as a terminal in a browser has it. */
export class Attachment {
  readonly socket: WebSocket;
  readonly texts: AttachMessage[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  /** All output that has come, and its stderr apart. */
  output = Buffer.alloc(0);
  stderr = Buffer.alloc(0);
  /** The number of the last event that has come. */
  seq = 0;
  #stream: "stdout" | "stderr" = "stdout";
  #seen = 0;
  #wake: () => void = () => undefined;

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("message", (data, isBinary) => this.#take(data as Buffer, isBinary));
    this.closed = new Promise((resolve) => {
      socket.once("close", (code, reason) => {
        resolve({ code, reason: reason.toString() });
        this.#wake();
      });
    });
  }

  #take(data: Buffer, isBinary: boolean): void {
    if (isBinary) {
      this.seq += data.length;
      if (this.#stream === "stdout") this.output = Buffer.concat([this.output, data]);
      else this.stderr = Buffer.concat([this.stderr, data]);
    } else {
      const message = JSON.parse(data.toString()) as AttachMessage;
      this.texts.push(message);
      if (message.type === "attached") this.seq = message.after;
      if (message.type === "gap") this.seq = message.toSeq;
      if (message.type === "at") this.seq = message.seq;
      if (message.type === "stream") this.#stream = message.stream;
    }
    this.#wake();
  }

  type(input: string | Uint8Array): void {
    this.socket.send(Buffer.from(input));
  }
  command(command: AttachCommand): void {
    this.socket.send(JSON.stringify(command));
  }

  /** Waits until output matches; what comes after it is for the next call. @throws Error when it ends before */
  async see(pattern: RegExp): Promise<string> {
    return this.#until(() => {
      const match = pattern.exec(this.output.toString("latin1").slice(this.#seen));
      if (!match) return undefined;
      this.#seen += match.index + match[0].length;
      return match[0];
    });
  }

  /** Waits for a message of a kind. */
  async told<T extends AttachMessage["type"]>(type: T): Promise<Of<T>> {
    return this.#until(() => this.texts.find((message): message is Of<T> => message.type === type));
  }

  async #until<T>(look: () => T | undefined): Promise<T> {
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      if (this.socket.readyState === WebSocket.CLOSED)
        throw new Error(
          `It closed after ${this.output.toString().slice(-300)} ${JSON.stringify(this.texts)}`,
        );
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

export const attachUrl = (api: Api, box: string, process: string, after = 0) =>
  `${api.url.replace("http", "ws")}/v1/sandboxes/${box}/processes/${process}/attach?after=${after}`;

/** As a browser does it: the key is a subprotocol. @throws Error with the refusal's status and code */
export function attach(api: Api, box: string, process: string, way: Way = {}): Promise<Attachment> {
  const protocols = way.protocols ?? [attachProtocol, `key.${api.key}`];
  const options = { headers: way.headers ?? {} };
  const socket = new WebSocket(attachUrl(api, box, process, way.after), protocols, options);
  // Made at once: the first message may come with the answer.
  const attachment = new Attachment(socket);
  return new Promise((resolve, reject) => {
    socket.once("open", () => resolve(attachment));
    socket.on("error", reject);
    socket.once("unexpected-response", (_request, response) => {
      let body = "";
      response.on("data", (chunk) => {
        body += chunk;
      });
      response.once("end", () => {
        reject(new Error(`${response.statusCode} ${(JSON.parse(body) as { code: string }).code}`));
        socket.terminate();
      });
    });
  });
}
