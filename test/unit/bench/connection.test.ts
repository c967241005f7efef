import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { BenchClient } from "#test/bench/load/client";

let server: Server | undefined;
const sockets = new Set<Socket>();
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  server?.close();
});

/** A server that answers each request's bytes as told. */
async function serve(answer: (request: string, socket: Socket) => void): Promise<BenchClient> {
  server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined).on("data", (bytes) => answer(bytes.toString(), socket));
  });
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  return new BenchClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, "key");
}
const ok = (body: string) => `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`;

test("a connection is kept for the next request, and one more is opened where that one is busy", async () => {
  const client = await serve((request, socket) => {
    const line = request.split("\r\n")[0] ?? "";
    setImmediate(() => socket.write(ok(line)));
  });
  const get = (path: string) => client.send(client.request("GET", path));
  expect((await get("/a")).body.toString()).toBe("GET /a HTTP/1.1");
  await get("/b");
  expect(sockets.size).toBe(1);
  const both = await Promise.all([get("/c"), get("/d")]);
  expect(both.map(({ body }) => body.toString())).toEqual(["GET /c HTTP/1.1", "GET /d HTTP/1.1"]);
  expect(sockets.size).toBe(2);
});

test("a request carries the key and the length of its body", async () => {
  const seen: string[] = [];
  const client = await serve((request, socket) => {
    seen.push(request);
    socket.write(ok("{}"));
  });
  await client.exec("sandbox", ["true"]);
  expect(seen[0]).toMatch(/^POST \/v1\/sandboxes\/sandbox\/exec HTTP\/1\.1\r\n/);
  expect(seen[0]).toContain("authorization: Bearer key\r\n");
  expect(seen[0]).toContain('content-length: 20\r\n\r\n{"command":["true"]}');
});

test("an answer that is no success is an error that says so, and the connection goes on", async () => {
  const client = await serve((request, socket) => {
    const isRefused = request.startsWith("GET /refused");
    socket.write(isRefused ? "HTTP/1.1 429 No\r\ncontent-length: 4\r\n\r\nfull" : ok("{}"));
  });
  const refused = client.send(client.request("GET", "/refused"));
  await expect(refused).rejects.toThrow("GET /refused answered 429: full");
  await client.send(client.request("GET", "/other"));
  expect(sockets.size).toBe(1);
});

test("a connection that breaks fails its request, and is never used again", async () => {
  const client = await serve((request, socket) => {
    if (request.startsWith("GET /broken")) socket.destroy();
    else socket.write(ok("{}"));
  });
  await expect(client.send(client.request("GET", "/broken"))).rejects.toThrow();
  await client.send(client.request("GET", "/fine"));
  expect(sockets.size).toBe(2);
});
