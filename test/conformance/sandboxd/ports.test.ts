import { once } from "node:events";
import type { Duplex } from "node:stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Box, background, shell, startBox, waitUntil } from "./harness.ts";

let box: Box;
const servers: { kill(): void }[] = [];
beforeAll(async () => {
  box = await startBox();
});
afterAll(async () => {
  for (const server of servers) server.kill();
  await box?.remove();
});

let nextPort = 4_000;
const timeoutMs = 5_000;
const open = (port: number, within = timeoutMs) => box.connection.connect({ port, timeoutMs: within });

/** Starts a Python server in the sandbox; `serve(c)` is called in a thread for each connection. */
async function listening(serve: string, options: { address?: string; backlog?: number } = {}) {
  const port = nextPort++;
  const { address = "127.0.0.1", backlog = 200 } = options;
  const family = address.includes(":") ? "AF_INET6" : "AF_INET";
  const script = [
    "import socket, threading, hashlib, struct, time",
    `s = socket.socket(socket.${family}); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)`,
    `s.bind((${JSON.stringify(address)}, ${port})); s.listen(${backlog})`,
    `open("/tmp/ready-${port}", "w").close()`,
    "def serve(c):",
    ...serve.split("\n").map((line) => `  ${line}`),
    backlog === 0 ? "time.sleep(600)" : "",
    "while True: threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()",
  ].join("\n");
  const server = background(box, script);
  server.exit.catch(() => {});
  servers.push(server);
  await waitUntil(async () => (await shell(box, `test -e /tmp/ready-${port}`)).exitCode === 0, 10_000);
  return port;
}

async function textOf(connection: Duplex): Promise<string> {
  let text = "";
  for await (const chunk of connection) text += chunk;
  return text;
}

test("bytes go both ways whole, and each direction ends by itself", async () => {
  const port = await listening(
    "h = hashlib.sha256(); n = 0\nwhile d := c.recv(65536): h.update(d); n += len(d)\nc.sendall(f'{n}'.encode()); c.close()",
  );
  const connection = await open(port);
  const sent = Buffer.alloc(5_000_001, "x");
  connection.end(sent);
  // The server answers only when it has seen our end, and we read on after it.
  expect(await textOf(connection)).toBe(String(sent.length));
});

test("a server that has said its last still hears us", async () => {
  const port = await listening(
    "c.sendall(b'bye'); c.shutdown(socket.SHUT_WR)\nd = b''\nwhile b := c.recv(65536): d += b\nopen('/tmp/heard', 'wb').write(d)",
  );
  const connection = await open(port);
  // Not an iterator, which would destroy the connection when it has read all.
  let said = "";
  connection.on("data", (chunk) => {
    said += chunk;
  });
  await once(connection, "end");
  expect(said).toBe("bye");
  connection.end("still here");
  await waitUntil(async () => (await shell(box, "cat /tmp/heard")).stdout === "still here", 5_000);
});

test("where nobody listens, that is said at once", async () => {
  const startedMs = Date.now();
  await expect(open(65_535)).rejects.toMatchObject({ code: "portRefused" });
  expect(Date.now() - startedMs).toBeLessThan(1_000);
});

test("a server on ::1 alone is reached as well", async () => {
  const hasIpv6 = (await shell(box, "grep -q 00000001 /proc/net/if_inet6")).exitCode === 0;
  if (!hasIpv6) {
    await expect(open(nextPort)).rejects.toMatchObject({ code: "portRefused" });
    return;
  }
  const port = await listening("c.sendall(b'six'); c.close()", { address: "::1" });
  expect(await textOf(await open(port))).toBe("six");
});

test("a server that takes no connections is given up at the deadline", async () => {
  const port = await listening("pass", { backlog: 0 });
  // A backlog of none still takes a connection or two.
  const results = await Promise.allSettled(Array.from({ length: 4 }, () => open(port, 400)));
  const codes = results.map((result) => (result.status === "rejected" ? result.reason.code : "connected"));
  expect(codes).toContain("portTimeout");
  for (const result of results) if (result.status === "fulfilled") result.value.destroy();
});

test("connections are counted, and one that ends makes room for the next", async () => {
  const port = await listening("c.recv(1); c.close()");
  const all = await Promise.all(Array.from({ length: 128 }, () => open(port)));
  await expect(open(port)).rejects.toMatchObject({ code: "tooMany" });
  all[0]?.destroy();
  const next = await open(port);
  for (const each of [...all, next]) each.destroy();
  await waitUntil(
    () =>
      open(port).then(
        (c) => !!c.destroy(),
        () => false,
      ),
    5_000,
  );
});

test("a reader who stops holds up the server, and nobody else", async () => {
  const port = await listening(
    "n = 0\ntry:\n  while True: n += c.send(b'x' * 65536); open('/tmp/sent', 'w').write(str(n))\nexcept OSError: pass",
  );
  const connection = await open(port);
  connection.once("readable", () => {});
  const sent = async () => Number((await shell(box, "cat /tmp/sent")).stdout);
  let before = -1;
  await waitUntil(async () => {
    const now = await sent();
    const isHeld = now > 0 && now === before;
    before = now;
    return isHeld;
  }, 10_000);
  // What the kernel's own buffers hold, and a window.
  expect(before).toBeLessThan(16 * 1024 * 1024);
  expect(box.residentKiB()).toBeLessThan(8 * 1024);
  expect((await shell(box, "echo alive")).stdout).toBe("alive\n");
  connection.destroy();
});

test("a server that reads nothing holds up our writes, in bounded memory", async () => {
  const port = await listening("time.sleep(600)");
  const connection = await open(port);
  let written = 0;
  const piece = Buffer.alloc(64 * 1024);
  while (written < 64 * 1024 * 1024 && connection.write(piece)) written += piece.length;
  const flow = (async () => {
    while (written < 64 * 1024 * 1024) {
      await once(connection, "drain");
      while (connection.write(piece)) written += piece.length;
      written += piece.length;
    }
  })().catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(written).toBeLessThan(32 * 1024 * 1024);
  expect(box.residentKiB()).toBeLessThan(8 * 1024);
  connection.destroy();
  connection.emit("drain");
  await Promise.race([flow, new Promise((resolve) => setTimeout(resolve, 100))]);
});

test("what a server sent before it broke off arrives, and then the break", async () => {
  const port = await listening(
    "c.sendall(b'x' * 100000); time.sleep(0.3)\nc.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0)); c.close()",
  );
  const connection = await open(port);
  let bytes = 0;
  connection.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
  });
  const [error] = await once(connection, "error");
  expect(error).toMatchObject({ code: "portReset" });
  expect(bytes).toBe(100_000);
});

test("a connection that we give up is closed inside", async () => {
  const port = await listening("c.recv(1)\nopen('/tmp/left', 'w').close()");
  (await open(port)).destroy();
  await waitUntil(async () => (await shell(box, "test -e /tmp/left")).exitCode === 0, 5_000);
});

test("the loss of the host closes what it had open", async () => {
  const port = await listening("c.recv(1)\nopen('/tmp/lost', 'w').close()");
  const connection = await open(port);
  const broken = once(connection, "error");
  const again = box.listen();
  box.connection.close();
  expect((await broken)[0]).toMatchObject({ code: "closed" });
  Object.assign(box, { connection: await again });
  await waitUntil(async () => (await shell(box, "test -e /tmp/lost")).exitCode === 0, 5_000);
});
