import { afterAll, beforeAll, expect, test } from "vitest";
import { problemOf } from "#test/support/harness";
import { type PortStack, portStack } from "#test/support/port-stack";
import { freePort } from "#test/support/stack";
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

const call = (path: string, { port = guest.port, ...init }: RequestInit & { port?: number } = {}) =>
  fetch(`${stack.url}/v1/sandboxes/${id}/ports/${port}${path}`, {
    ...init,
    headers: { authorization: `Bearer ${stack.key}` },
  });

test("where nobody listens, that is what is said", async () => {
  const response = await call("/", { port: await freePort() });
  expect(response.status).toBe(502);
  expect(await problemOf(response)).toMatchObject({ code: "port_closed", retryable: true });
});

test("a server that never answers is given up, by name", async () => {
  const response = await call("/silent");
  expect(response.status).toBe(504);
  expect((await problemOf(response)).code).toBe("port_timeout");
});

test.each(["/garbage", "/two-lengths", "/both", "/unasked-upgrade", "/status-999", "/endless-headers"])(
  "%s is no answer, and nothing of it is passed on",
  async (path) => {
    const response = await call(path);
    expect(response.status).toBe(502);
    expect((await problemOf(response)).code).toBe("port_failed");
  },
);

test("answers without end before the answer are given up", async () => {
  expect([502, 504]).toContain((await call("/endless-informational")).status);
});

test.each(["/short", "/bad-chunks"])("%s is cut off, never made whole", async (path) => {
  const body = call(path).then((response) => response.text());
  await expect(body).rejects.toThrow();
});

test("what follows an answer is nobody's answer", async () => {
  for (let i = 0; i < 5; i++) {
    const more = await call("/more");
    expect([200, "ok"]).toEqual([more.status, await more.text()]);
    expect(await (await call("/hello")).text()).toBe("hello from inside\n");
  }
});

test("a reader who stops holds a bounded part of a huge answer", async () => {
  const before = process.memoryUsage();
  const abort = new AbortController();
  const response = await call("/big", { signal: abort.signal });
  const reader = response.body?.getReader();
  await reader?.read();
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const { rss, external, arrayBuffers } = process.memoryUsage();
  // Client, control plane, host and server share this process.
  expect(rss - before.rss + external - before.external + arrayBuffers - before.arrayBuffers).toBeLessThan(
    200 * 1024 * 1024,
  );
  expect(stack.openPorts.size).toBe(1);
  abort.abort();
  await expect.poll(() => stack.openPorts.size).toBe(0);
});

test("an answer on which nothing moves for long is cut", async () => {
  const response = await call("/forever");
  const reader = response.body?.getReader();
  await reader?.read();
  stack.clock.offsetMs += 299_000;
  stack.openPorts.closeIdle();
  expect(stack.openPorts.size).toBe(1);
  stack.clock.offsetMs += 2_000;
  stack.openPorts.closeIdle();
  await expect(reader?.read()).rejects.toThrow();
});
