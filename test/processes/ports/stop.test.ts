import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { mustOpen } from "#test/support/websocket";
import { watchRequests } from "#worker/node-drain";

test("a control plane that stops does not wait for WebSockets, which have no end of their own", async () => {
  const server = createServer();
  const drain = watchRequests(server);
  server.on("upgrade", ({ headers }, socket) => {
    const key = `${headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash("sha1").update(key).digest("base64");
    const lines = ["Connection: Upgrade", "Upgrade: websocket", `Sec-WebSocket-Accept: ${accept}`];
    socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join("\r\n")}\r\n\r\n`);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const open = await mustOpen(`http://127.0.0.1:${port}/`);
  await drain(100);
  await open.closed();
  expect(server.listening).toBe(false);
});
