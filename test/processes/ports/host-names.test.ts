import { request } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { scopes } from "#contract/api";
import { newSandboxId } from "#contract/ids";
import type { PortAccess } from "#contract/ports";
import { type PortStack, portStack } from "#test/support/port-stack";
import { freePort } from "#test/support/stack";
import { mustOpen, openSocket, type Refused } from "#test/support/websocket";
import { issueKey } from "#worker/auth/issue-key";
import { startGuest } from "../../support/guest-server.mjs";

let stack: PortStack;
let guest: { port: number; close(): void };
let closed: string;
let open: string;
let token: string;
beforeAll(async () => {
  stack = await portStack();
  guest = await startGuest(0);
  closed = (await stack.create()).id;
  open = (await stack.create({ publicPorts: true })).id;
  token = (await access(closed)).trafficToken;
});
afterAll(async () => {
  guest?.close();
  await stack?.close();
});

async function access(id: string): Promise<PortAccess> {
  const headers = { authorization: `Bearer ${stack.key}` };
  return (await fetch(`${stack.url}/v1/sandboxes/${id}/ports`, { headers })).json() as Promise<PortAccess>;
}

type Answer = { status: number; headers: Record<string, string | string[] | undefined>; body: string };
/** A request with a host name of its own, which `fetch` would not send. */
function ask(
  host: string,
  path: string,
  headers: Record<string, string> = {},
  method = "GET",
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({
      host: "127.0.0.1",
      port: stack.port,
      path,
      method,
      headers: { host, ...headers },
    });
    sent.once("error", reject);
    sent.once("response", (message) => {
      let body = "";
      message.on("data", (chunk) => {
        body += chunk;
      });
      message.once("end", () => resolve({ status: message.statusCode ?? 0, headers: message.headers, body }));
    });
    sent.end();
  });
}
const nameOf = (id: string, port: number | string = guest.port) => `${port}-${id}.sandboxes.test`;
const withToken = (value = token) => ({ "e2b-traffic-access-token": value });

test("a sandbox says by which name and token its ports are reached", async () => {
  expect(await access(closed)).toEqual({
    publicPorts: false,
    hostName: `{port}-${closed}.sandboxes.test`,
    trafficToken: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
  expect((await access(open)).publicPorts).toBe(true);
  expect((await access(open)).trafficToken).not.toBe(token);
});

test.each([
  ["the token", () => withToken(), 200],
  ["the token by our own name for it", () => ({ "x-sandgate-traffic-token": token }), 200],
  ["a key", () => ({ authorization: `Bearer ${stack.key}` }), 200],
  ["a key in the other header", () => ({ "x-api-key": stack.key }), 200],
  ["nothing", () => ({}), 403],
  ["a credential that is not ours", () => ({ authorization: "Basic dXNlcjpwYXNz" }), 403],
  ["another sandbox's token", () => withToken("0".repeat(64)), 403],
  ["an empty token", () => withToken(""), 403],
  ["a made-up key", () => ({ authorization: `Bearer e2b_${"0".repeat(40)}` }), 401],
  ["a made-up key beside the token", () => ({ "x-api-key": `e2b_${"0".repeat(40)}`, ...withToken() }), 401],
])("with %s a sandbox without public ports answers", async (_what, headers, status) => {
  const answer = await ask(nameOf(closed), "/hello", headers());
  expect(answer.status).toBe(status);
  if (status === 403) expect(JSON.parse(answer.body)).toMatchObject({ sandboxId: closed, code: 403 });
});

test("a key without the scope opens nothing, and another tenant's finds nothing", async () => {
  const others = scopes.filter((scope) => scope !== "exec");
  const narrow = await issueKey(stack.deps, { tenantId: stack.tenantId, name: "narrow", scopes: others });
  expect((await ask(nameOf(closed), "/hello", { "x-api-key": narrow.key })).status).toBe(403);
  const { key } = await stack.tenant("stranger");
  const [foreign, unknown] = await Promise.all(
    [closed, newSandboxId(closed.slice(0, 4) as Parameters<typeof newSandboxId>[0])].map((id) =>
      ask(nameOf(id), "/hello", { "x-api-key": key }),
    ),
  );
  expect(foreign?.status).toBe(502);
  const shape = (answer?: Answer) => ({ ...JSON.parse(answer?.body ?? ""), sandboxId: "" });
  expect(shape(foreign)).toEqual(shape(unknown));
});

test("public ports are open to everybody, and to nobody's orders about other things", async () => {
  expect((await ask(nameOf(open), "/hello")).body).toBe("hello from inside\n");
  expect((await ask(nameOf(open), "/hello", { authorization: "Basic dXNlcjpwYXNz" })).status).toBe(200);
  expect((await ask(nameOf(open), "/hello", withToken("wrong"))).status).toBe(403);
});

test("sandboxes that were created together have public ports, or not, as was asked", async () => {
  for (const publicPorts of [true, false]) {
    const response = await fetch(`${stack.url}/v1/sandboxes/batch`, {
      method: "POST",
      headers: { authorization: `Bearer ${stack.key}`, "content-type": "application/json" },
      body: JSON.stringify({ count: 2, publicPorts }),
    });
    const text = await response.text();
    const ids = [...text.matchAll(/"id":"([a-z0-9]{24})"/g)].map(([, id = ""]) => id);
    expect(ids).toHaveLength(2);
    for (const id of ids) {
      expect((await access(id)).publicPorts).toBe(publicPorts);
      expect((await ask(nameOf(id), "/hello")).status).toBe(publicPorts ? 200 : 403);
    }
  }
});

test("paths of ours are the server's on its own name", async () => {
  for (const path of ["/healthz", "/readyz", "/v1/sandboxes", "/openapi.json", "/internal/v1/heartbeat"])
    expect([path, (await ask(nameOf(open), path)).body]).toEqual([path, "no such page"]);
});

test("on its own name a server has its cookies and policies, and none that reach its neighbours", async () => {
  const { headers } = await ask(nameOf(open), "/hostile");
  expect(headers["set-cookie"]).toEqual(["session=stolen; Path=/", "wide=1; Path=/; Secure"]);
  expect(headers["content-security-policy"]).toBe("default-src *");
  expect(headers["x-sandgate-secret"]).toBeUndefined();
  expect(headers["x-request-id"]).toMatch(/^req_[a-z0-9]{20}$/);
  expect(headers["cache-control"]).toBeUndefined();
});

test("its own credentials reach a server, ours and our headers do not", async () => {
  const host = nameOf(open);
  const sent = {
    authorization: "Basic dXNlcjpwYXNz",
    cookie: "session=1",
    "x-forwarded-host": "evil.test",
    ...withToken((await access(open)).trafficToken),
  };
  const echoed = JSON.parse((await ask(host, "/echo", sent)).body) as { headers: Record<string, string> };
  expect(echoed.headers).toMatchObject({
    host,
    authorization: "Basic dXNlcjpwYXNz",
    cookie: "session=1",
    "x-forwarded-host": host,
    "x-forwarded-proto": "http",
  });
  expect(Object.keys(echoed.headers).filter((name) => /token|sandgate|e2b/.test(name))).toEqual([]);
  const keyed = await ask(host, "/echo", { authorization: `Bearer ${stack.key}`, cookie: `k=${stack.key}` });
  expect(keyed.body).not.toContain("e2b_");
});

test("a port that is closed and a sandbox that is gone are said as E2B's clients expect it", async () => {
  const port = await freePort();
  const answer = await ask(nameOf(open, port), "/");
  expect([answer.status, JSON.parse(answer.body)]).toEqual([
    502,
    { sandboxId: open, message: "The sandbox is running but port is not open", port, code: 502 },
  ]);
  const gone = newSandboxId(open.slice(0, 4) as Parameters<typeof newSandboxId>[0]);
  const dead = await ask(nameOf(gone), "/");
  expect([dead.status, JSON.parse(dead.body)]).toEqual([
    502,
    { sandboxId: gone, message: "The sandbox was not found", code: 502 },
  ]);
});

test.each(["0", "65536", "22x", "080", "99999999999"])("port %s in a name is no port", async (port) => {
  const answer = await ask(nameOf(open, port), "/hello");
  expect([answer.status, JSON.parse(answer.body).code]).toEqual([400, 400]);
});

test("the names of E2B's older clients, with their tail, and any case, are understood", async () => {
  expect((await ask(`${guest.port}-${open}-client1.sandboxes.test:443`, "/hello")).status).toBe(200);
  expect((await ask(nameOf(open).toUpperCase(), "/hello")).status).toBe(200);
});

test("routing headers count where the name is nobody's own, and our origin is kept there", async () => {
  const routing = { "e2b-sandbox-id": closed, "e2b-sandbox-port": String(guest.port), ...withToken() };
  for (const host of ["127.0.0.1", "localhost:1234", "[::1]", "sandbox.sandboxes.test"]) {
    const answer = await ask(host, "/hostile", routing);
    expect([host, answer.status, answer.headers["content-security-policy"]]).toEqual([host, 200, "sandbox"]);
    expect(answer.headers["set-cookie"]).toBeUndefined();
  }
  expect((await ask("api.example.test", "/hello", routing)).status).toBe(404);
  expect((await ask("127.0.0.1", "/hello", { ...routing, "e2b-sandbox-port": "22x" })).status).toBe(400);
  expect((await ask("127.0.0.1", "/hello", { ...routing, "e2b-sandbox-id": "../x" })).status).toBe(400);
});

test("a name of the domain that names no port is the API's", async () => {
  expect((await ask("api.sandboxes.test", "/healthz")).status).toBe(200);
});

test("WebSockets are opened by name as well, by the same rules", async () => {
  const url = `${stack.url}/ws`;
  const socket = await mustOpen(url, { host: nameOf(closed), ...withToken() });
  socket.send("hello");
  expect(await socket.text()).toBe("hello");
  socket.socket.destroy();
  expect(((await openSocket(url, { host: nameOf(closed) })) as Refused).status).toBe(403);
  (await mustOpen(url, { host: nameOf(open) })).socket.destroy();
});
