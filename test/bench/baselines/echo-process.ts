import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { sayReady, stopWithParent } from "../../../scripts/edge/stop-with-parent.ts";

/** Answers each request with its own body, and does nothing else: what HTTP over loopback costs by itself. */
const server = createServer({ keepAliveTimeout: 65_000 }, (request, response) => {
  const parts: Buffer[] = [];
  request.on("data", (part: Buffer) => parts.push(part));
  request.once("end", () => {
    const body = Buffer.concat(parts);
    response.writeHead(200, { "content-type": "application/json", "content-length": body.length });
    response.end(body);
  });
});
server.listen(0, "127.0.0.1", () => {
  sayReady(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
stopWithParent(async () => {
  server.closeAllConnections();
  server.close();
});
