import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import type { Hono } from "hono";
import { hostKeepAliveMs } from "#contract/host";
import { limits } from "#contract/limits";
import { StartupError } from "./errors.ts";
import type { upgradeListener } from "./routes/upgrade.ts";

/** What a client may send to the control plane, and what the control plane adds. */
const maxHeaderSize = 32 * 1024;

const alreadySent = "x-hono-already-sent";

type FetchCallback = Parameters<typeof getRequestListener>[0];
type UpgradeListener = ReturnType<typeof upgradeListener>;

/** Hono makes a new answer to a HEAD, which would be written after the one that a port has already given. */
function answering(app: Hono): FetchCallback {
  return async (request, env) => {
    const response = await app.fetch(request, env);
    const isWritten = request.method === "HEAD" && response.headers.has(alreadySent);
    return isWritten ? RESPONSE_ALREADY_SENT : response;
  };
}

/** Listens on loopback. @throws StartupError when the port is taken. */
export function serveHost(
  app: Hono,
  port: number,
  onUpgrade: UpgradeListener = (_incoming, socket) => socket.destroy(),
): Promise<{ server: Server; url: string }> {
  const server = createServer({ maxHeaderSize }, getRequestListener(answering(app)));
  server.on("upgrade", onUpgrade);
  server.keepAliveTimeout = hostKeepAliveMs;
  // Node's own is five minutes, which would cut off a long upload.
  server.requestTimeout = limits.fileWriteDeadlineMs;
  return new Promise((resolve, reject) => {
    // For good: who could not be accepted for want of a descriptor was cut, and a host must not die of that.
    server.on("error", (cause) => {
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
