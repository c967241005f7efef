import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { HostError } from "../errors.ts";
import { begin, type Live } from "../sandboxes/registry.ts";
import { ask, type PortQuestion, replyHeaders } from "./ask.ts";
import { connectTo } from "./connect.ts";
import type { PortDeps } from "./exchange.ts";
import type { Opener } from "./open-ports.ts";
import { splice } from "./splice.ts";

export type Handshake = { question: Omit<PortQuestion, "own">; opener: Opener };
export type UpgradingClient = { incoming: IncomingMessage; socket: Duplex; head: Buffer };
/** An answer that is no upgrade. */
export type Refusal = { message: IncomingMessage; touch: () => void };

/** RFC 6455: what a server appends to the client's key to show that it has understood. */
const acceptSuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/** What the two ends agree on is theirs. */
const agreed = ["sec-websocket-protocol", "sec-websocket-extensions"] as const;

/**
 * Opens a WebSocket to a server in a sandbox. Bytes are joined only after the server has proved that it speaks
 * WebSocket; until then its answer is read as HTTP. Resolves with the answer of a server that does not upgrade.
 * @throws HostError as long as nothing has been answered
 */
export async function tunnel(
  deps: PortDeps,
  live: Live,
  { question, opener }: Handshake,
  { incoming, socket, head }: UpgradingClient,
): Promise<Refusal | null> {
  const finish = begin(live, deps.now);
  try {
    const own = handshakeHeaders(incoming);
    const opened = await connectTo(deps, live, { port: question.port, opener }, socket);
    const { touch } = opened.open;
    const { request, reply } = ask(deps, opened, { ...question, own });
    request.end();
    const { message, tunnel: upgraded } = await reply;
    if (!upgraded) return { message, touch };
    if (!isAccepted(message, own)) {
      opened.connection.destroy();
      throw new HostError("port_failed", "The server agreed to something other than this WebSocket.");
    }
    socket.write(switching(message, question.port));
    if (upgraded.head.length > 0) socket.write(upgraded.head);
    if (head.length > 0) upgraded.guest.write(head);
    void splice(socket, upgraded.guest, touch);
    return null;
  } finally {
    finish();
  }
}

/** What a handshake asks for. @throws HostError `invalid_request` for what is none */
export function handshakeHeaders({ headers }: IncomingMessage): Record<string, string> {
  const key = headers["sec-websocket-key"] ?? "";
  const isHandshake = headers.upgrade?.toLowerCase() === "websocket" && /^[A-Za-z0-9+/]{22}==$/.test(key);
  if (!isHandshake || headers["sec-websocket-version"] !== "13")
    throw new HostError("invalid_request", "Send a WebSocket handshake of version 13.");
  const wishes = agreed.flatMap((name) => (headers[name] ? [[name, headers[name]] as const] : []));
  return {
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-key": key,
    "sec-websocket-version": "13",
    ...Object.fromEntries(wishes),
  };
}

function isAccepted({ headers }: IncomingMessage, own: Record<string, string>): boolean {
  const expected = createHash("sha1").update(`${own["sec-websocket-key"]}${acceptSuffix}`).digest("base64");
  return headers.upgrade?.toLowerCase() === "websocket" && headers["sec-websocket-accept"] === expected;
}

function switching(message: IncomingMessage, port: number): string {
  const flat = replyHeaders(message, port);
  const lines = flat.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${flat[i + 1]}`] : []));
  const first = ["HTTP/1.1 101 Switching Protocols", "connection: Upgrade", "upgrade: websocket"];
  return [...first, ...lines, "", ""].join("\r\n");
}
