// A server for the inside of a sandbox: what it does wrong, it does on purpose. `node guest-server.mjs PORT`, or
// imported by tests whose sandboxes are fakes on the machine's own loopback. It needs nothing but Node.
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { connect, createServer as createTcpServer } from "node:net";

const hostile = {
  "set-cookie": ["session=stolen; Path=/", "wide=1; Domain=sandboxes.test; Path=/; Secure"],
  "content-security-policy": "default-src *",
  "clear-site-data": '"*"',
  "strict-transport-security": "max-age=1; includeSubDomains",
  "alt-svc": 'h2="evil.test:443"',
  "access-control-allow-origin": "*",
  "x-sandgate-secret": "forged",
  "x-request-id": "req_forged",
  "x-content-type-options": "sniff-away",
  "www-authenticate": "Basic realm=give",
  refresh: "0; url=/v1/sandboxes",
  connection: "close, x-hop",
  "x-hop": "1",
  "x-own": "kept",
  "content-type": "text/html",
};

const routes = {
  "/hello": (_request, response) => response.end("hello from inside\n"),
  "/hostile": (_request, response) => response.writeHead(200, hostile).end("<script>alert(1)</script>"),
  "/echo": async (request, response) => {
    const hash = createHash("sha256");
    let bytes = 0;
    for await (const chunk of request) {
      hash.update(chunk);
      bytes += chunk.length;
    }
    const { method, url, headers } = request;
    const said = JSON.stringify({ method, url, headers, bytes, sha256: hash.digest("hex") });
    response.writeHead(200, { "content-type": "application/json" }).end(said);
  },
  "/redirect": (request, response) => {
    const to = new URL(request.url, "http://x").searchParams.get("to");
    response.writeHead(307, { location: to }).end();
  },
  "/status": (request, response) => {
    response.writeHead(Number(new URL(request.url, "http://x").searchParams.get("code"))).end();
  },
  "/events": (_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write("data: one\n\n");
    setTimeout(() => response.end("data: two\n\n"), 400);
  },
  "/forever": (_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write("data: open\n\n");
  },
  "/big": (_request, response) => {
    response.writeHead(200, { "content-type": "application/octet-stream" });
    const piece = Buffer.alloc(64 * 1024, "x");
    let left = 16 * 1024;
    const more = () => {
      while (left-- > 0) {
        flooded += piece.length;
        if (!response.write(piece)) return response.once("drain", more);
      }
      response.end();
    };
    more();
  },
  "/flooded": (_request, response) => response.end(String(flooded)),
  "/silent": () => {},
  "/early": (_request, response) => response.writeHead(413, { connection: "close" }).end("too much"),
};

/** What a parser must not be led astray by, as it goes over the wire. */
const raw = {
  "/garbage": "this is not http at all\r\n\r\n",
  "/short": "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nten bytes.",
  "/two-lengths": "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
  "/both":
    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
  "/bad-chunks": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
  "/unasked-upgrade":
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nraw bytes",
  "/status-999": "HTTP/1.1 999 Nothing\r\nContent-Length: 0\r\n\r\n",
  "/more": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nextra",
  "/folded": "HTTP/1.1 200 OK\r\nX-A: 1\r\n folded: 2\r\nContent-Length: 2\r\n\r\nok",
};

function frame(opcode, payload) {
  const length = payload.length;
  const head =
    length < 126
      ? Buffer.from([0x80 | opcode, length])
      : Buffer.from([0x80 | opcode, 126, length >> 8, length & 0xff]);
  return Buffer.concat([head, payload]);
}

/** Echoes text messages of up to 64 KiB, until the client closes; `/flood` sends without end and hears nothing. */
function webSocket(request, socket) {
  const path = request.url.split("?")[0];
  if (path === "/refuses") return socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno!");
  const suffix = path === "/wrong-accept" ? "wrong" : "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  const accept = createHash("sha1")
    .update(request.headers["sec-websocket-key"] + suffix)
    .digest("base64");
  const protocol = request.headers["sec-websocket-protocol"]?.split(",")[0]?.trim();
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n${
      protocol ? `Sec-WebSocket-Protocol: ${protocol}\r\n` : ""
    }\r\n`,
  );
  socket.on("error", () => socket.destroy());
  if (path === "/flood") {
    const piece = frame(2, Buffer.alloc(32 * 1024));
    const more = () => {
      while (!socket.destroyed && socket.write(piece)) flooded += piece.length;
    };
    socket.on("drain", more);
    more();
    return;
  }
  let held = Buffer.alloc(0);
  socket.on("data", (chunk) => {
    held = Buffer.concat([held, chunk]);
    for (;;) {
      if (held.length < 2) return;
      const short = held[1] & 0x7f;
      const at = short === 126 ? 4 : 2;
      if (held.length < at) return;
      const length = short === 126 ? held.readUInt16BE(2) : short;
      if (held.length < at + 4 + length) return;
      const payload = Buffer.from(held.subarray(at + 4, at + 4 + length)).map(
        (byte, i) => byte ^ held[at + (i % 4)],
      );
      const opcode = held[0] & 0xf;
      held = held.subarray(at + 4 + length);
      socket.write(frame(opcode, Buffer.from(payload)));
      if (opcode === 8) return socket.end();
    }
  });
}

let flooded = 0;
export const floodedBytes = () => flooded;

/** Resolves once it listens. */
export function startGuest(port) {
  const http = createServer((request, response) => {
    const serve =
      routes[request.url.split("?")[0]] ?? ((_, answer) => answer.writeHead(404).end("no such page"));
    serve(request, response);
  });
  http.on("upgrade", webSocket);
  // In front of it, one that answers some paths with bytes that no HTTP library would send.
  const server = createTcpServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    socket.once("data", (chunk) => {
      const path = /^[A-Z]+ (\S+) /.exec(chunk.toString("latin1"))?.[1] ?? "";
      if (raw[path] !== undefined) return socket.end(raw[path]);
      if (path === "/endless-headers")
        return endless(socket, "HTTP/1.1 200 OK\r\n", () => "X-More: aaaaaaaaaaaaaaaa\r\n");
      if (path === "/endless-informational")
        return endless(socket, "", () => "HTTP/1.1 103 Early Hints\r\n\r\n");
      socket.pause();
      socket.unshift(chunk);
      http.emit("connection", socket);
      socket.resume();
    });
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () =>
      resolve({ port: server.address().port, close: () => server.close() }),
    );
  });
}

function endless(socket, first, next) {
  socket.write(first);
  const more = () => {
    while (!socket.destroyed && socket.write(next().repeat(100))) {}
  };
  socket.on("drain", more);
  more();
}

/** Whether anything outside can be reached from here. */
export function reaches(host, port) {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.setTimeout(1_000, () => socket.destroy(new Error("late")));
    socket.once("connect", () => resolve("connected"));
    socket.once("error", (cause) => resolve(cause.code ?? "error"));
  });
}

if (
  process.argv[2] !== undefined &&
  import.meta.url.endsWith("guest-server.mjs") &&
  process.argv[1]?.endsWith("guest-server.mjs")
)
  await startGuest(Number(process.argv[2])).then(() => console.log("listening"));
