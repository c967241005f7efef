import { connect } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { scopes } from "#contract/api";
import { SandboxToken } from "#contract/token";
import { endSandbox } from "#host/sandboxes/end";
import { type PortStack, portStack } from "#test/support/port-stack";
import { freePort } from "#test/support/stack";
import { mustOpen, openSocket, type Refused, TestSocket } from "#test/support/websocket";
import { issueKey } from "#worker/auth/issue-key";
import { revokeKey } from "#worker/auth/revoke-key";
import { floodedBytes, startGuest } from "../../support/guest-server.mjs";

let stack: PortStack;
let guest: { port: number; close(): void };
let id: string;
beforeAll(async () => {
  stack = await portStack({ portAnswerMs: 700, maxConnections: 20 });
  guest = await startGuest(0);
  id = (await stack.create()).id;
});
afterAll(async () => {
  guest?.close();
  await stack?.close();
});

const at = (path: string, sandboxId = id, port = guest.port) =>
  `${stack.url}/v1/sandboxes/${sandboxId}/ports/${port}${path}`;
const mine = (key = stack.key) => ({ authorization: `Bearer ${key}` });
const codeOf = (refused: TestSocket | Refused) =>
  refused instanceof TestSocket ? "opened" : (JSON.parse(refused.body) as { code: string }).code;

test("a thousand messages come back, each whole and in its order", async () => {
  const socket = await mustOpen(at("/ws"), mine());
  const texts = Array.from({ length: 1_000 }, (_, i) => `${i}:${"x".repeat((i * 37) % 3_000)}`);
  for (const text of texts) socket.send(text);
  for (const text of texts) expect(await socket.text()).toBe(text);
  socket.send("", 8);
  expect((await socket.receive()).opcode).toBe(8);
  await socket.closed();
  await expect.poll(() => stack.openPorts.size, { timeout: 5_000 }).toBe(0);
});

test("a protocol is agreed on from end to end", async () => {
  const socket = await mustOpen(at("/ws"), { ...mine(), "sec-websocket-protocol": "chat, other" });
  expect(socket.headers["sec-websocket-protocol"]).toBe("chat");
  expect(socket.headers["set-cookie"]).toBeUndefined();
  socket.socket.destroy();
});

test("a key that is offered as a protocol goes to no server", async () => {
  for (const [others, agreed] of [
    [", chat", "chat"],
    ["", undefined],
  ]) {
    const offered = { "sec-websocket-protocol": `key.${stack.key}${others}` };
    // The server takes the first that it is offered.
    const socket = await mustOpen(at("/ws"), { ...mine(), ...offered });
    expect(socket.headers["sec-websocket-protocol"]).toBe(agreed);
    socket.socket.destroy();
  }
});

test("a reader who stops holds up the sender, and costs bounded memory", { timeout: 20_000 }, async () => {
  const socket = await mustOpen(at("/flood"), mine());
  await socket.receive();
  socket.socket.pause();
  let before = -1;
  await expect
    .poll(
      () => {
        const isHeld = floodedBytes() === before;
        before = floodedBytes();
        return isHeld;
      },
      { timeout: 10_000, interval: 200 },
    )
    .toBe(true);
  expect(before).toBeLessThan(64 * 1024 * 1024);
  socket.socket.destroy();
  await expect.poll(() => stack.openPorts.size, { timeout: 5_000 }).toBe(0);
});

test.each([
  ["no key", () => openSocket(at("/ws")), "unauthenticated"],
  ["a key without the scope", () => narrow(), "forbidden"],
  [
    "a port where nobody listens",
    async () => openSocket(at("/ws", id, await freePort()), mine()),
    "port_closed",
  ],
  ["another tenant's sandbox", () => asAnother(), "sandbox_not_found"],
  ["a server that proves nothing", () => openSocket(at("/wrong-accept"), mine()), "port_failed"],
  ["a server that upgrades unasked", () => openSocket(at("/unasked-upgrade"), mine()), "port_failed"],
  ["a server that answers garbage", () => openSocket(at("/garbage"), mine()), "port_failed"],
  ["a server that never answers", () => silent(), "port_timeout"],
  ["an unknown address of ours", () => openSocket(`${stack.url}/v1/nothing`, mine()), "not_found"],
])("%s is refused as a request would be", async (_what, attempt, code) => {
  expect(codeOf(await attempt())).toBe(code);
});

async function narrow() {
  const others = scopes.filter((scope) => scope !== "exec");
  const { key } = await issueKey(stack.deps, { tenantId: stack.tenantId, name: "narrow", scopes: others });
  return openSocket(at("/ws"), mine(key));
}
async function asAnother() {
  return openSocket(at("/ws"), mine((await stack.tenant("another")).key));
}
/** A TCP server that takes connections and says nothing. */
async function silent() {
  const { createServer } = await import("node:net");
  const server = createServer(() => undefined);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const refused = await openSocket(at("/ws", id, port), mine());
  server.close();
  return refused;
}

test("an open WebSocket is one of its tenant's streams, until it is over, however that comes", async () => {
  const open = () => stack.deps.openStreams.count(stack.tenantId);
  await expect.poll(open).toBe(0);
  const [reset, closing] = [await mustOpen(at("/ws"), mine()), await mustOpen(at("/ws"), mine())];
  expect(open()).toBe(2);
  reset.socket.destroy();
  closing.send("", 8);
  await expect.poll(open, { timeout: 5_000 }).toBe(0);
  await openSocket(at("/refuses"), mine());
  expect(open()).toBe(0);
  const places = Array.from({ length: 10_000 }, () => stack.deps.openStreams.open(stack.tenantId, 10_000));
  expect(codeOf(await openSocket(at("/ws"), mine()))).toBe("too_many_streams");
  for (const release of places) release();
  const last = await mustOpen(at("/ws"), mine());
  last.socket.destroy();
  await expect.poll(open, { timeout: 5_000 }).toBe(0);
});

test("a server that does not upgrade is answered as it answered", async () => {
  const refused = (await openSocket(at("/refuses"), mine())) as Refused;
  expect([refused.status, refused.body]).toEqual([403, "no!"]);
  expect(refused.headers["content-security-policy"]).toBe("sandbox");
});

test("a handshake of another version is not passed on", async () => {
  const refused = await openSocket(at("/ws"), { ...mine(), "sec-websocket-version": "7" });
  expect(codeOf(refused)).toBe("invalid_request");
});

test("the end of its sandbox ends it", async () => {
  const other = await stack.create();
  const socket = await mustOpen(at("/ws", other.id), mine());
  const live = stack.machine.registry.peek(other.id);
  if (live) await endSandbox(stack.machine.deps, live, "killed");
  await socket.closed();
  const refused = (await openSocket(at("/ws", other.id), mine())) as Refused;
  expect(["sandbox_ended", "sandbox_not_found"]).toContain(codeOf(refused));
});

test("a key that is revoked takes its connections with it, and no others", async () => {
  const brief = await issueKey(stack.deps, { tenantId: stack.tenantId, name: "brief", scopes });
  const [kept, lost] = await Promise.all([mustOpen(at("/ws"), mine()), mustOpen(at("/ws"), mine(brief.key))]);
  await stack.heartbeat();
  kept.send("still");
  expect(await kept.text()).toBe("still");
  await revokeKey(stack.deps, stack.tenantId, brief.id);
  await stack.heartbeat();
  await lost.closed();
  kept.send("here");
  expect(await kept.text()).toBe("here");
  kept.socket.destroy();
});

test("a connection that a token opened ends with the token, by path and by name, and no other", async () => {
  const issued = await fetch(`${stack.url}/v1/sandboxes/${id}/tokens`, {
    method: "POST",
    headers: { ...mine(), "content-type": "application/json" },
    body: JSON.stringify({ scopes: ["exec"], expiresInSeconds: 60 }),
  });
  const { token } = SandboxToken.parse(await issued.json());
  const host = `${guest.port}-${id}.sandboxes.test`;
  const [kept, byPath, byName] = await Promise.all([
    mustOpen(at("/ws"), mine()),
    mustOpen(at("/ws"), mine(token)),
    mustOpen(`${stack.url}/ws`, { host, ...mine(token) }),
  ]);
  stack.clock.offsetMs += 50_000;
  stack.openPorts.closeIdle();
  byPath.send("still");
  expect(await byPath.text()).toBe("still");
  stack.clock.offsetMs += 11_000;
  stack.openPorts.closeIdle();
  await Promise.all([byPath.closed(), byName.closed()]);
  kept.send("here");
  expect(await kept.text()).toBe("here");
  kept.socket.destroy();
});

test("bytes keep a sandbox from being idle, an open connection alone does not", async () => {
  const live = stack.machine.registry.peek(id);
  const socket = await mustOpen(at("/ws"), mine());
  expect(live?.operations).toBe(0);
  stack.clock.offsetMs += 60_000;
  const before = live?.lastActiveAtMs ?? 0;
  socket.send("now");
  await socket.text();
  expect((live?.lastActiveAtMs ?? 0) - before).toBeGreaterThan(50_000);
  stack.clock.offsetMs += 301_000;
  stack.openPorts.closeIdle();
  await socket.closed();
});

test("connections of a host are counted, and refused by name", { timeout: 20_000 }, async () => {
  const all = await Promise.all(Array.from({ length: 20 }, () => mustOpen(at("/ws"), mine())));
  const refused = (await openSocket(at("/ws"), mine())) as Refused;
  expect([refused.status, codeOf(refused)]).toEqual([429, "too_many_connections"]);
  for (const each of all) each.socket.destroy();
  await expect.poll(() => stack.openPorts.size, { timeout: 5_000 }).toBe(0);
  (await mustOpen(at("/ws"), mine())).socket.destroy();
});

test.each([
  ["GET", ""],
  ["POST", "hello"],
])("a client that offers HTTP/2 with its %s is answered in HTTP/1.1", async (method, body) => {
  const answer = await spoken(
    `${method} /v1/sandboxes/${id}/ports/${guest.port}/echo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${stack.key}\r\n` +
      `Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    /"sha256"/,
  );
  expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  expect(answer).toContain(`"bytes":${body.length}`);
  expect(answer).not.toContain("h2c");
});

/** What comes back on a connection of its own until it matches. */
function spoken(request: string, until: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(stack.port, "127.0.0.1", () => socket.write(request));
    let text = "";
    socket.setTimeout(5_000, () => reject(new Error(`Only this came: ${text}`)));
    socket.on("data", (chunk) => {
      text += chunk;
      if (!until.test(text)) return;
      socket.destroy();
      resolve(text);
    });
    socket.on("close", () => reject(new Error(`Only this came: ${text}`)));
  });
}
