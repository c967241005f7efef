import { createHash } from "node:crypto";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { newSandboxId } from "#contract/ids";
import { problemOf } from "#test/support/harness";
import { type PortStack, portStack } from "#test/support/port-stack";
import { startGuest } from "../../support/guest-server.mjs";

let stack: PortStack;
let guest: { port: number; close(): void };
let id: string;
beforeAll(async () => {
  stack = await portStack({ portAnswerMs: 700 });
  guest = await startGuest(0);
  id = (await stack.create()).id;
});
afterAll(async () => {
  guest?.close();
  await stack?.close();
});

type Options = RequestInit & { key?: string; sandboxId?: string; port?: number | string; duplex?: "half" };
function call(path: string, { key = stack.key, sandboxId = id, port = guest.port, ...init }: Options = {}) {
  const headers = { authorization: `Bearer ${key}`, ...(init.headers as Record<string, string>) };
  const url = `${stack.url}/v1/sandboxes/${sandboxId}/ports/${port}${path}`;
  return fetch(url, { redirect: "manual", ...init, headers });
}
type Echo = { method: string; url: string; headers: Record<string, string>; bytes: number; sha256: string };
const echo = async (response: Promise<Response>) => (await (await response).json()) as Echo;

test("an answer from inside comes back as it is, and says whose it is", async () => {
  const response = await call("/hello");
  expect([response.status, await response.text()]).toEqual([200, "hello from inside\n"]);
  expect(response.headers.get("x-sandgate-port")).toBe(String(guest.port));
  const missing = await call("/nothing");
  expect([missing.status, await missing.text()]).toEqual([404, "no such page"]);
});

test.each(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])(
  "%s is passed on",
  async (method) => {
    const said = await echo(call("/echo?a%20b;c&=%ff", { method }));
    expect(said).toMatchObject({ method, url: "/echo?a%20b;c&=%ff", bytes: 0 });
  },
);

test("path and query reach the server as they were sent", async () => {
  expect((await echo(call("/echo?x=1&x=2&y=%2F%20'()"))).url).toBe("/echo?x=1&x=2&y=%2F%20%27()");
  expect((await call("")).status).toBe(404);
});

test("a HEAD has the headers and no body, and its connection goes on", async () => {
  const complaint = vi.spyOn(console, "error");
  const response = await call("/hello", { method: "HEAD" });
  expect([response.status, await response.text()]).toEqual([200, ""]);
  expect(await (await call("/hello")).text()).toBe("hello from inside\n");
  expect(complaint).not.toHaveBeenCalled();
});

test.each([10, 60_000, 3_000_000])(
  "a body of %i bytes arrives whole, with the length it was sent with",
  async (size) => {
    const body = Buffer.alloc(size, "ab");
    const said = await echo(call("/echo", { method: "POST", body }));
    expect(said).toMatchObject({ bytes: size, sha256: createHash("sha256").update(body).digest("hex") });
    expect(said.headers["content-length"]).toBe(String(size));
  },
);

test("a body whose length nobody knows flows", async () => {
  const body = new Blob([Buffer.alloc(500_000, "z")]).stream();
  const said = await echo(call("/echo", { method: "POST", body, duplex: "half" }));
  expect(said.bytes).toBe(500_000);
  expect(said.headers["transfer-encoding"]).toBe("chunked");
});

test("our credentials and headers stay out of a sandbox; where the client is goes in", async () => {
  const { headers } = await echo(
    call("/echo", {
      headers: {
        cookie: "dashboard=1",
        "x-sandgate-tenant": "ten_forged",
        "x-forwarded-for": "10.0.0.1",
        "x-forwarded-host": "evil.test",
        "x-forwarded-prefix": "/evil",
        forwarded: "for=10.0.0.1",
        "e2b-traffic-access-token": "secret",
        "x-own": "kept",
      },
    }),
  );
  expect(
    Object.keys(headers).filter((name) => /auth|cookie|api-key|sandgate|e2b|^forwarded|-for$/.test(name)),
  ).toEqual([]);
  expect(headers).toMatchObject({
    host: `localhost:${guest.port}`,
    "x-own": "kept",
    "x-forwarded-host": `127.0.0.1:${stack.port}`,
    "x-forwarded-proto": "http",
    "x-forwarded-prefix": `/v1/sandboxes/${id}/ports/${guest.port}`,
  });
});

test("the other header that a key may come in stays out as well", async () => {
  const url = `${stack.url}/v1/sandboxes/${id}/ports/${guest.port}/echo`;
  const { headers } = await echo(fetch(url, { headers: { "x-api-key": stack.key } }));
  expect(JSON.stringify(headers)).not.toContain("e2b_");
});

test("what a tenant serves on our origin cannot act on it", async () => {
  const response = await call("/hostile");
  expect(await response.text()).toBe("<script>alert(1)</script>");
  const { headers } = response;
  expect(headers.get("content-security-policy")).toBe("sandbox");
  expect(headers.get("x-content-type-options")).toBe("nosniff");
  expect(headers.get("cache-control")).toBe("no-store");
  expect(headers.get("x-request-id")).toMatch(/^req_[a-z0-9]{20}$/);
  expect(headers.get("x-own")).toBe("kept");
  const refused = [
    "set-cookie",
    "clear-site-data",
    "strict-transport-security",
    "alt-svc",
    "access-control-allow-origin",
    "x-sandgate-secret",
    "www-authenticate",
    "refresh",
    "x-hop",
  ];
  expect(refused.filter((name) => headers.has(name))).toEqual([]);
});

test.each([
  ["/login?x=1#top", "/v1/sandboxes/:id/ports/:port/login?x=1#top"],
  ["next", "/v1/sandboxes/:id/ports/:port/next"],
  ["../../../../exec", "/v1/sandboxes/:id/ports/:port/exec"],
  [
    "/v1/sandboxes/h00000000000000000000000",
    "/v1/sandboxes/:id/ports/:port/v1/sandboxes/h00000000000000000000000",
  ],
  ["http://localhost::port/a", "/v1/sandboxes/:id/ports/:port/a"],
  [":origin/v1/sandboxes", "/v1/sandboxes/:id/ports/:port/v1/sandboxes"],
  [":origin/v1/sandboxes/:id/ports/:port/in", "/v1/sandboxes/:id/ports/:port/in"],
  ["//elsewhere.test/x", "http://elsewhere.test/x"],
  ["https://elsewhere.test/x", "https://elsewhere.test/x"],
  ["javascript:alert(1)", null],
  ["https://user:pass@elsewhere.test/", null],
])("a redirect to %s leads to %s: never to another path of ours", async (to, expected) => {
  const fill = (text: string) =>
    text.replace(":id", id).replace(":port", String(guest.port)).replace(":origin", stack.url);
  const response = await call(`/redirect?to=${encodeURIComponent(fill(to))}`, { method: "POST" });
  expect(response.status).toBe(307);
  expect(response.headers.get("location")).toBe(expected && fill(expected));
});

test("events come as they are sent, and headers before the first of them", async () => {
  const response = await call("/events");
  const reader = response.body?.getReader();
  const first = await reader?.read();
  expect(Buffer.from(first?.value ?? []).toString()).toBe("data: one\n\n");
  const second = await reader?.read();
  expect(Buffer.from(second?.value ?? []).toString()).toBe("data: two\n\n");
});

test.each(["0", "65536", "22x", "-1", "1e3", "08", "%30", "%00", "99999999999999999999"])(
  "%s is no port, and is said to be none",
  async (port) => {
    const response = await call("/hello", { port });
    expect([400, 404]).toContain(response.status);
    expect(["invalid_request", "not_found"]).toContain((await problemOf(response)).code);
  },
);

test.each(["/%2e%2e/%2e%2e/exec", "/../../exec", "/a/%2e%2e/%2e%2e/%2e%2e/exec"])(
  "a path that climbs (%s) is never signed as another request",
  async (path) => {
    const response = await call(path, { method: "POST", body: '{"command":"true"}' });
    expect([404, 415]).toContain(response.status);
  },
);

test("another tenant's sandbox is answered as an unknown one", async () => {
  const other = await stack.tenant("other");
  const bodies = await Promise.all(
    [id, newSandboxId(id.slice(0, 4) as Parameters<typeof newSandboxId>[0])].map(async (sandboxId) => {
      const { requestId: _, ...rest } = await problemOf(await call("/hello", { key: other.key, sandboxId }));
      return rest;
    }),
  );
  expect(bodies[0]).toMatchObject({ code: "sandbox_not_found" });
  expect(bodies[0]).toEqual(bodies[1]);
});

test("requests are served while many others are, and leave nothing open", async () => {
  const all = await Promise.all(Array.from({ length: 60 }, () => call("/hello").then((r) => r.text())));
  expect(new Set(all)).toEqual(new Set(["hello from inside\n"]));
  await expect.poll(() => stack.openPorts.size).toBe(0);
});
