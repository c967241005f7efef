import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import type { Duplex } from "node:stream";

type Message = { opcode: number; payload: Buffer };
export type Refused = { status: number; body: string; headers: IncomingMessage["headers"] };

/** A WebSocket as a client has it, by hand: what goes over the wire is the test's to say. */
export class TestSocket {
  readonly headers: IncomingMessage["headers"];
  readonly socket: Duplex;
  readonly #messages: Message[] = [];
  #held = Buffer.alloc(0);
  #wake: () => void = () => undefined;
  isClosed = false;

  constructor(message: IncomingMessage, socket: Duplex, head: Buffer) {
    this.headers = message.headers;
    this.socket = socket;
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.isClosed = true;
      this.#wake();
    });
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    if (head.length > 0) this.#take(head);
  }

  send(text: string, opcode = 1): boolean {
    const payload = Buffer.from(text);
    const mask = randomBytes(4);
    const { length } = payload;
    const lengths = length < 126 ? [0x80 | length] : [0x80 | 126, length >> 8, length & 0xff];
    const masked = payload.map((byte, i) => byte ^ (mask[i % 4] ?? 0));
    return this.socket.write(Buffer.concat([Buffer.from([0x80 | opcode, ...lengths]), mask, masked]));
  }

  /** The next message. @throws Error when the connection ends before there is one */
  async receive(): Promise<Message> {
    for (;;) {
      const message = this.#messages.shift();
      if (message) return message;
      if (this.isClosed) throw new Error("The WebSocket has closed.");
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async text(): Promise<string> {
    return (await this.receive()).payload.toString();
  }

  async closed(): Promise<void> {
    if (!this.isClosed) await once(this.socket, "close");
  }

  #take(chunk: Buffer): void {
    this.#held = Buffer.concat([this.#held, chunk]);
    for (;;) {
      const [first = 0, second = 0] = this.#held;
      const at = second === 126 ? 4 : 2;
      if (this.#held.length < at) return;
      const length = second === 126 ? this.#held.readUInt16BE(2) : second;
      if (this.#held.length < at + length) return;
      this.#messages.push({ opcode: first & 0xf, payload: this.#held.subarray(at, at + length) });
      this.#held = this.#held.subarray(at + length);
      this.#wake();
    }
  }
}

/** Opens a WebSocket; an answer that is none is given back as what it is. */
export async function openSocket(
  url: string,
  headers: Record<string, string> = {},
): Promise<TestSocket | Refused> {
  const key = randomBytes(16).toString("base64");
  const handshake = {
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-key": key,
    "sec-websocket-version": "13",
  };
  const asked = request(url, { headers: { ...handshake, ...headers } });
  return new Promise((resolve, reject) => {
    asked.once("error", reject);
    asked.once("upgrade", (message, socket, head) => {
      const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
      if (message.headers["sec-websocket-accept"] !== accept) reject(new Error("A wrong accept key."));
      else resolve(new TestSocket(message, socket, head));
    });
    asked.once("response", (message) => {
      let body = "";
      message.on("data", (chunk) => {
        body += chunk;
      });
      message.once("end", () => resolve({ status: message.statusCode ?? 0, body, headers: message.headers }));
    });
    asked.end();
  });
}

/** @throws Error with the refusal */
export async function mustOpen(url: string, headers: Record<string, string> = {}): Promise<TestSocket> {
  const opened = await openSocket(url, headers);
  if (opened instanceof TestSocket) return opened;
  throw new Error(`${url} answered ${opened.status}: ${opened.body}`);
}
