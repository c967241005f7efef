import type { Server } from "node:http";
import { Hono } from "hono";
import { afterEach, expect, test } from "vitest";
import { limits } from "#contract/limits";
import { serveHost } from "#host/serve";
import { createNodeServer } from "#worker/node-serve";

const servers: { close(): void }[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

test("an upload may take as long as the contract says", async () => {
  const { server } = await serveHost(new Hono(), 0);
  servers.push(server);
  expect(server.requestTimeout).toBeGreaterThanOrEqual(limits.fileWriteDeadlineMs);
});

test("a connection that could not be accepted is nobody's end but its own, every time", async () => {
  const { server } = await serveHost(new Hono(), 0);
  servers.push(server);
  // As Node tells of an accept that failed for want of descriptors.
  const fail = (on: Server) =>
    on.emit("error", Object.assign(new Error("accept EMFILE"), { code: "EMFILE" }));
  const controlPlane = createNodeServer(() => new Response());
  for (let i = 0; i < 3; i++) expect([fail(server), fail(controlPlane)]).toEqual([true, true]);
});

test("a port that is taken stops the start with one sentence", async () => {
  const { server, url } = await serveHost(new Hono(), 0);
  servers.push(server);
  await expect(serveHost(new Hono(), Number(new URL(url).port))).rejects.toThrow("set SANDGATE_HOST_PORT");
});
