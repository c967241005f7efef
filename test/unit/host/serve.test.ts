import { Hono } from "hono";
import { afterEach, expect, test } from "vitest";
import { limits } from "#contract/limits";
import { serveHost } from "#host/serve";

const servers: { close(): void }[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

test("an upload may take as long as the contract says", async () => {
  const { server } = await serveHost(new Hono(), 0);
  servers.push(server);
  expect(server.requestTimeout).toBeGreaterThanOrEqual(limits.fileWriteDeadlineMs);
});

test("a port that is taken stops the start with one sentence", async () => {
  const { server, url } = await serveHost(new Hono(), 0);
  servers.push(server);
  await expect(serveHost(new Hono(), Number(new URL(url).port))).rejects.toThrow("set SANDGATE_HOST_PORT");
});
