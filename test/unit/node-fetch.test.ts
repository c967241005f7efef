import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { bytesIn } from "#worker/bytes";
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
  const url = await urlOf(listening);
  const fetch = makeNodeFetch(idleMs);
  expect(await (await fetch(url)).text()).toBe("late");
  expect(await (await fetch(url)).text()).toBe("late");
  expect(opened).toBe(1);
  await expect.poll(() => open).toBe(0);
});

test("a short answer is read in one go, and one that ends before its length fails", async () => {
  const listening = createServer((request, response) => {
    response.writeHead(200, { "content-length": 10 });
    response.write("half");
    setTimeout(() => (request.url === "/whole" ? response.end(" again") : response.destroy()), 20);
  });
  server = listening;
  const url = await urlOf(listening);
  const fetch = makeNodeFetch(1_000);
  const whole = await fetch(`${url}/whole`);
  expect(Buffer.from(bytesIn(whole) ?? []).toString()).toBe("half again");
  expect(await whole.text()).toBe("half again");
  await expect(fetch(`${url}/broken`)).rejects.toThrow();
});

async function urlOf(listening: Server): Promise<string> {
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
  // An address of a TCP server, never a pipe's.
  return `http://127.0.0.1:${(listening.address() as AddressInfo).port}`;
}
