import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import type { PortAccess } from "#contract/ports";
import type { Api } from "../../support/api.ts";
import type { TestStack } from "../../support/stack.ts";
import { mustOpen, openSocket, type Refused } from "../../support/websocket.ts";
import { guestPort, portClient } from "./port-client.ts";

type Echo = { method: string; url: string; headers: Record<string, string>; bytes: number; sha256: string };

/** Servers in real sandboxes, through everything that is between them and a client in this runtime. */
export function portsSuite(stack: () => TestStack, api: () => Api): void {
  const { urlOf, mine, call, byName, newGuest, dispose } = portClient(stack, api);
  let closed: string;
  let open: string;
  beforeAll(async () => {
    closed = await newGuest(false);
    open = await newGuest(true);
  });
  afterAll(dispose);

  test("a server in a sandbox is asked by path, and its bytes act on nothing", async () => {
    const echoed = (await (
      await call(closed, "/echo?a=1&a=2", { method: "PUT", body: "hello" })
    ).json()) as Echo;
    expect(echoed).toMatchObject({ method: "PUT", url: "/echo?a=1&a=2", bytes: 5 });
    expect(Object.keys(echoed.headers).filter((name) => /auth|sandgate|api-key|cookie/.test(name))).toEqual(
      [],
    );
    const { headers, status } = await call(closed, "/hostile");
    expect([status, headers.get("content-security-policy"), headers.get("x-content-type-options")]).toEqual([
      200,
      "sandbox",
      "nosniff",
    ]);
    for (const name of ["set-cookie", "clear-site-data", "x-sandgate-secret", "access-control-allow-origin"])
      expect(headers.has(name)).toBe(false);
    const redirect = await call(closed, "/redirect?to=/v1/sandboxes");
    expect(redirect.headers.get("location")).toBe(`/v1/sandboxes/${closed}/ports/${guestPort}/v1/sandboxes`);
  });

  test.each([
    ["whose length is said", (body: Buffer) => new Uint8Array(body)],
    ["whose length nobody knows", (body: Buffer) => new Blob([new Uint8Array(body)]).stream()],
  ])("a body of 5 MB %s arrives whole", async (_what, bodyOf) => {
    const body = randomBytes(5_000_000);
    const response = await call(closed, "/echo", { method: "POST", body: bodyOf(body), duplex: "half" });
    const echoed = (await response.json()) as Echo;
    expect([echoed.bytes, echoed.sha256]).toEqual([
      5_000_000,
      createHash("sha256").update(body).digest("hex"),
    ]);
  });

  test("a packed answer is unpacked once", async () => {
    await api().write(closed, "packed.gz", gzipSync("packed inside\n"));
    const command = `node -e 'const fs=require("fs");require("http").createServer((q,r)=>r.writeHead(200,{"content-encoding":"gzip"}).end(fs.readFileSync("packed.gz"))).listen(9100)' >/dev/null 2>&1 &`;
    await api().exec(closed, command);
    await expect
      .poll(async () => (await call(closed, "/", { port: 9_100 })).status, { timeout: 10_000 })
      .toBe(200);
    expect(await (await call(closed, "/", { port: 9_100 })).text()).toBe("packed inside\n");
  });

  test("events come as they are sent", async () => {
    const reader = (await call(closed, "/events")).body?.getReader();
    const first = await reader?.read();
    const startedMs = performance.now();
    expect(Buffer.from(first?.value ?? []).toString()).toBe("data: one\n\n");
    const second = await reader?.read();
    expect(Buffer.from(second?.value ?? []).toString()).toBe("data: two\n\n");
    expect(performance.now() - startedMs).toBeGreaterThan(100);
  });

  test.each([
    ["nobody listens", "/", 9_999, 502, "port_closed"],
    ["garbage comes back", "/garbage", guestPort, 502, "port_failed"],
    ["two lengths are said", "/both", guestPort, 502, "port_failed"],
    ["headers never end", "/endless-headers", guestPort, 502, "port_failed"],
    ["another protocol is begun", "/unasked-upgrade", guestPort, 502, "port_failed"],
  ])("where %s, that is the answer", async (_what, path, port, status, code) => {
    const response = await call(closed, path, { port });
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([status, code]);
  });

  test("an answer that is cut short is not made whole", async () => {
    // Miniflare packs what may be packed, and then there is no length.
    const response = await call(closed, "/short", { headers: { "accept-encoding": "identity" } });
    // Where a runtime does not cut the connection, the length tells.
    const bytes = await response.arrayBuffer().then(
      ({ byteLength }) => byteLength,
      () => -1,
    );
    expect(bytes).toBeLessThan(Number(response.headers.get("content-length")));
  });

  test("a server that answers before it has read everything is heard", async () => {
    const response = await call(closed, "/early", { method: "POST", body: new Uint8Array(2_000_000) });
    expect([response.status, await response.text()]).toEqual([413, "too much"]);
  });

  test("a thousand WebSocket messages come back in their order", async () => {
    const socket = await mustOpen(urlOf(closed, "/ws"), { ...mine(), "sec-websocket-protocol": "chat" });
    expect(socket.headers["sec-websocket-protocol"]).toBe("chat");
    const texts = Array.from({ length: 1_000 }, (_, i) => `${i}:${"x".repeat((i * 37) % 3_000)}`);
    for (const text of texts) socket.send(text);
    for (const text of texts) expect(await socket.text()).toBe(text);
    socket.socket.destroy();
  });

  /** What the server has sent, once it sends no more. */
  async function heldAt(): Promise<number> {
    let before = -1;
    await expect
      .poll(
        async () => {
          const now = Number(await (await call(open, "/flooded")).text());
          const isHeld = now === before;
          before = now;
          return isHeld;
        },
        { timeout: 20_000, interval: 500 },
      )
      .toBe(true);
    return before;
  }
  const residentMiB = (pid: number) =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;

  test("a reader who stops holds up the server, over HTTP and over a WebSocket, in bounded memory", async () => {
    const hostPid = stack().agentHost.pid;
    const [before, sentBefore] = [residentMiB(hostPid), await heldAt()];
    const socket = await mustOpen(urlOf(open, "/flood"), mine());
    await socket.receive();
    socket.socket.pause();
    const overSocket = (await heldAt()) - sentBefore;
    socket.socket.destroy();
    const abort = new AbortController();
    const reader = (await call(open, "/big", { signal: abort.signal })).body?.getReader();
    await reader?.read();
    const overHttp = (await heldAt()) - sentBefore - overSocket;
    // Of a gigabyte: what the buffers of the kernel and of every program on the way hold.
    expect(overSocket).toBeLessThan(64 * 1024 * 1024);
    expect(overHttp).toBeLessThan(64 * 1024 * 1024);
    expect(residentMiB(hostPid) - before).toBeLessThan(64);
    expect((await api().exec(open, "echo alive")).stdout).toBe("alive\n");
    abort.abort();
  });

  test("a WebSocket is refused as a request is", async () => {
    const codeOf = async (url: string, headers: Record<string, string>) =>
      (JSON.parse(((await openSocket(url, headers)) as Refused).body) as { code: string }).code;
    expect(await codeOf(urlOf(closed, "/ws"), {})).toBe("unauthenticated");
    expect(await codeOf(urlOf(closed, "/ws", 9_999), mine())).toBe("port_closed");
    expect(await codeOf(urlOf("h00000000000000000000000", "/ws"), mine())).toBe("sandbox_not_found");
    expect(((await openSocket(urlOf(closed, "/refuses"), mine())) as Refused).status).toBe(403);
  });

  test("by host name a sandbox opens to its token, and to everybody where that was chosen", async () => {
    const access = (await (await api().call("GET", `/v1/sandboxes/${closed}/ports`)).json()) as PortAccess;
    expect(access.hostName).toBe(`{port}-${closed}.localhost`);
    expect((await byName(closed, "/hello")).status).toBe(403);
    const withToken = { "e2b-traffic-access-token": access.trafficToken };
    expect((await byName(closed, "/hello", withToken)).body).toBe("hello from inside\n");
    const own = await byName(open, "/hostile");
    expect(own.headers["set-cookie"]).toContain("session=stolen; Path=/");
    expect((await byName(open, "/healthz")).body).toBe("no such page");
    expect(JSON.parse((await byName(open, "/", {}, 9_999)).body)).toEqual({
      sandboxId: open,
      message: "The sandbox is running but port is not open",
      port: 9_999,
      code: 502,
    });
  });

  test("the way in is no way out", async () => {
    const script =
      'import { reaches } from "./guest-server.mjs"; for (const to of [["1.1.1.1", 80], ["10.0.0.1", 80], ["169.254.169.254", 80], ["172.17.0.1", 22]]) console.log(await reaches(...to));';
    const { stdout } = await api().exec(closed, ["node", "--input-type=module", "-e", script], {
      cwd: "/home/user",
    });
    expect(stdout.trim().split("\n")).toHaveLength(4);
    expect(stdout).not.toContain("connected");
  });

  test("connections of one sandbox are counted, and refused by name", async () => {
    const { id } = await api().create();
    onTestFinished(() => api().delete(id));
    const script =
      "import socket,time\ns=socket.socket();s.bind(('127.0.0.1',9000));s.listen(200)\nk=[]\nwhile True: k.append(s.accept()[0])";
    await api().exec(id, `python3 -c "${script}" >/dev/null 2>&1 &`);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const abort = new AbortController();
    const held = Array.from({ length: 128 }, () =>
      call(id, "/", { signal: abort.signal }).catch(() => undefined),
    );
    await expect
      .poll(
        async () => {
          const response = await call(id, "/", { signal: AbortSignal.timeout(1_000) }).catch(() => undefined);
          return response && ((await response.json()) as { code: string }).code;
        },
        { timeout: 30_000 },
      )
      .toBe("too_many_connections");
    abort.abort();
    await Promise.all(held);
    expect((await api().exec(id, "echo alive")).stdout).toBe("alive\n");
  });

  test("the end of a sandbox ends what is open to it", async () => {
    const id = await newGuest(true);
    const socket = await mustOpen(urlOf(id, "/ws"), mine());
    const reader = (await call(id, "/forever")).body?.getReader();
    await reader?.read();
    await api().delete(id);
    await socket.closed();
    // Workerd ends a body well whose source was cut; Node cuts it.
    const last = await Promise.resolve(reader?.read()).catch(() => ({ done: true }));
    expect(last?.done).toBe(true);
    const dead = await byName(id, "/hello");
    expect([dead.status, JSON.parse(dead.body)]).toEqual([
      502,
      { sandboxId: id, message: "The sandbox was not found", code: 502 },
    ]);
  });
}
