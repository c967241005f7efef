import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { makeNodeFetch } from "#worker/node-fetch";

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

test("a connection that nobody uses is given up before the host would, one that is waited on is not", async () => {
  const idleMs = 100;
  let open = 0;
  let opened = 0;
  const listening = createServer((_request, response) => {
    setTimeout(() => response.end("late"), 3 * idleMs);
  });
  server = listening;
  listening.keepAliveTimeout = 60_000;
  listening.on("connection", (socket) => {
    open++;
    opened++;
    socket.once("close", () => open--);
  });
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
  // An address of a TCP server, never a pipe's.
  const url = `http://127.0.0.1:${(listening.address() as AddressInfo).port}`;
  const fetch = makeNodeFetch(idleMs);
  expect(await (await fetch(url)).text()).toBe("late");
  expect(await (await fetch(url)).text()).toBe("late");
  expect(opened).toBe(1);
  await expect.poll(() => open).toBe(0);
});
