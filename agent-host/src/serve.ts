import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import type { Hono } from "hono";
import { hostKeepAliveMs } from "#contract/host";
import { limits } from "#contract/limits";
import { StartupError } from "./errors.ts";

/** Listens on loopback. @throws StartupError when the port is taken. */
export function serveHost(app: Hono, port: number): Promise<{ server: Server; url: string }> {
  const server = createServer(getRequestListener(app.fetch));
  server.keepAliveTimeout = hostKeepAliveMs;
  // Node's own is five minutes, which would cut off a long upload.
  server.requestTimeout = limits.fileWriteDeadlineMs;
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => {
      const isTaken = (cause as NodeJS.ErrnoException).code === "EADDRINUSE";
      const sentence = `Port ${port} is taken; set SANDGATE_HOST_PORT to a free one, or to 0.`;
      reject(isTaken ? new StartupError(sentence, { cause }) : cause);
    });
    server.listen(port, "127.0.0.1", () => {
      // An address of a TCP server, never a pipe's.
      const { port: bound } = server.address() as AddressInfo;
      resolve({ server, url: `http://127.0.0.1:${bound}` });
    });
  });
}
