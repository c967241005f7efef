import { createServer, type Server } from "node:http";
import { getRequestListener } from "@hono/node-server";
import { serveUpgrades } from "./node-passage.ts";

/** How long a connection may take over its requests. */
export type NodeTimeouts = { headersMs: number; requestMs: number; checkMs: number };

export const nodeTimeouts: NodeTimeouts = {
  /** Headers that arrive slower than this are an attack or a dead peer. */
  headersMs: 10_000,
  /** Covers the longest upload; a JSON body has a bound of its own. */
  requestMs: 600_000,
  checkMs: 2_000,
};
const keepAliveMs = 65_000;
const connectionsMax = 10_000;

/** The HTTP server of the Node entry, with every bound that Node has for one. */
export function createNodeServer(
  fetch: (request: Request) => Response | Promise<Response>,
  timeouts: NodeTimeouts = nodeTimeouts,
): Server {
  const options = {
    headersTimeout: timeouts.headersMs,
    requestTimeout: timeouts.requestMs,
    connectionsCheckingInterval: timeouts.checkMs,
    keepAliveTimeout: keepAliveMs,
    maxHeaderSize: 16 * 1024,
  };
  const server = createServer(options, getRequestListener(fetch));
  server.maxConnections = connectionsMax;
  // Who could not be accepted for want of a descriptor was cut; a service must not die of that.
  server.on("error", () => undefined);
  serveUpgrades(server, fetch);
  return server;
}
