import { type IncomingMessage, type Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { limits } from "#contract/limits";
import { AppError } from "./errors.ts";
import { upgradedResponse, webSocketOf } from "./node-fetch.ts";
import type { Passage } from "./sandboxes/ports.ts";

type Fetch = (request: Request) => Response | Promise<Response>;

const passedOn = [
  "sec-websocket-key",
  "sec-websocket-version",
  "sec-websocket-protocol",
  "sec-websocket-extensions",
];

/** Of Node: the handshake is the client's from end to end, and after it bytes are joined. */
export const nodePassage: Passage = {
  handshake: (headers) => {
    if (headers.get("sec-websocket-version") !== "13" || !headers.has("sec-websocket-key"))
      throw new AppError("invalid_request", "Send a WebSocket handshake of version 13.");
    const wishes = passedOn.flatMap((name) => (headers.has(name) ? [[name, headers.get(name) ?? ""]] : []));
    return { connection: "Upgrade", upgrade: "websocket", ...Object.fromEntries(wishes) };
  },
  handOn: (answer, headers, onEnd) => {
    const webSocket = webSocketOf(answer);
    if (!webSocket) throw new Error("An upgrade without its connection.");
    if (webSocket.socket.closed) onEnd();
    else webSocket.socket.once("close", onEnd);
    return upgradedResponse(headers, webSocket);
  },
  // A body that breaks off takes its connection with it.
  sized: (body) => body,
};

/**
 * Serves what Node's server gives out of its hands. Only WebSockets are upgraded; who offers another protocol, as some
 * HTTP clients do with every request, is answered in HTTP/1.1.
 */
export function serveUpgrades(server: Server, fetch: Fetch): void {
  server.on("upgrade", (incoming: IncomingMessage, socket: Duplex, head: Buffer) => {
    const isWebSocket = incoming.headers.upgrade?.toLowerCase() === "websocket";
    if (!isWebSocket) return serveAgain(server, incoming, socket, head);
    // Only of what leaves HTTP: what stays comes back with each of its requests, and would have one more each time.
    socket.on("error", () => socket.destroy());
    upgrade(fetch, incoming, socket, head).catch(() => socket.destroy());
  });
}

async function upgrade(fetch: Fetch, incoming: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
  const gone = new AbortController();
  socket.once("close", () => gone.abort());
  const response = await fetch(requestOf(incoming, gone.signal));
  const webSocket = webSocketOf(response);
  if (!webSocket) return refuse(incoming, socket, response);
  webSocket.socket.on("error", () => webSocket.socket.destroy());
  const lines = [...response.headers].map(([name, value]) => `${name}: ${value}`);
  const first = ["HTTP/1.1 101 Switching Protocols", "connection: Upgrade", "upgrade: websocket"];
  socket.write([...first, ...lines, "", ""].join("\r\n"), "latin1");
  if (webSocket.head.length > 0) socket.write(webSocket.head);
  if (head.length > 0) webSocket.socket.write(head);
  await join(socket, webSocket.socket);
}

function requestOf(incoming: IncomingMessage, signal: AbortSignal): Request {
  const headers = new Headers();
  for (let i = 0; i < incoming.rawHeaders.length; i += 2)
    headers.append(incoming.rawHeaders[i] ?? "", incoming.rawHeaders[i + 1] ?? "");
  const url = new URL(incoming.url ?? "/", `http://${incoming.headers.host ?? "localhost"}`);
  return new Request(url, { method: incoming.method ?? "GET", headers, signal });
}

/** Until one has ended, plus a moment for what is on its way, or one has broken. */
async function join(one: Duplex, other: Duplex): Promise<void> {
  const both = [pipeline(one, other), pipeline(other, one)];
  try {
    await Promise.race(both);
    await Promise.race([Promise.all(both), sleep(limits.portHalfClosedMs, undefined, { ref: false })]);
  } catch {
    // A tunnel has no place to say why it ended.
  } finally {
    one.destroy();
    other.destroy();
    await Promise.allSettled(both);
  }
}

async function refuse(incoming: IncomingMessage, socket: Duplex, response: Response): Promise<void> {
  const outgoing = new ServerResponse(incoming);
  outgoing.shouldKeepAlive = false;
  // A server's sockets are sockets, whatever the type of the event says.
  outgoing.assignSocket(socket as Socket);
  outgoing.once("finish", () => socket.end());
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  if (response.body) await pipeline(response.body, outgoing);
  else outgoing.end();
}

const ofTheOffer = ["upgrade", "connection", "http2-settings"];

/** The same request without its offer, from the start, as if the connection had just been made. */
function serveAgain(server: Server, incoming: IncomingMessage, socket: Duplex, head: Buffer): void {
  const lines = [`${incoming.method} ${incoming.url} HTTP/1.1`];
  for (let i = 0; i < incoming.rawHeaders.length; i += 2) {
    const [name = "", value = ""] = incoming.rawHeaders.slice(i, i + 2);
    if (!ofTheOffer.includes(name.toLowerCase())) lines.push(`${name}: ${value}`);
  }
  socket.unshift(Buffer.concat([Buffer.from([...lines, "", ""].join("\r\n"), "latin1"), head]));
  server.emit("connection", socket);
  socket.resume();
}
