import { request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { scopes } from "#contract/api";
import { eventFrame } from "#contract/events";
import { newExecId } from "#contract/ids";
import { SandboxToken } from "#contract/token";
import { type Harness, harness, problemOf } from "#test/support/harness";
import { expectProblem } from "#test/support/problem";
import { toBytes } from "#worker/bytes";
import { createNodeServer } from "#worker/node-serve";

let h: Harness;
let server: Server;
let url: string;
let tenants = 0;
beforeAll(async () => {
  h = await harness();
  server = createNodeServer(h.app.fetch);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server?.closeAllConnections();
  server?.close();
  await h.close();
});

/** A tenant that may have so many streams open, with a sandbox. */
async function withStreams(openStreams: number) {
  const me = await h.tenant(`streams-${tenants++}`, scopes, { openStreams });
  const { id } = await h.create({}, me.key);
  const get = (path: string, headers: Record<string, string> = {}) =>
    h.send("GET", `/v1/sandboxes/${id}/${path}`, { key: me.key, headers });
  const watch = () => get("watch?path=/home/user");
  return { ...me, id, get, watch, open: () => h.deps.openStreams.count(me.tenantId) };
}

test("A31: the thousand-and-first open stream of a tenant is refused, and others are not", async () => {
  const { watch, open } = await withStreams(1_000);
  const streams = await Promise.all(Array.from({ length: 1_000 }, watch));
  expect(new Set(streams.map(({ status }) => status))).toEqual(new Set([200]));
  const refused = await expectProblem(await watch(), 429, "too_many_streams");
  expect(refused.facts).toEqual({ limit: 1_000, open: 1_000 });
  expect((await (await withStreams(1)).watch()).status).toBe(200);
  await streams[0]?.body?.cancel();
  expect((await watch()).status).toBe(200);
  expect(open()).toBe(1_000);
});

describe("a place is free again, once,", () => {
  test("when the stream has ended", async () => {
    const { id, key, open } = await withStreams(1);
    for (let i = 0; i < 3; i++) {
      const streamed = await h.send("POST", `/v1/sandboxes/${id}/exec`, {
        key,
        json: { command: "echo hello" },
        headers: { accept: "text/event-stream" },
      });
      expect([streamed.status, open()]).toEqual([200, 1]);
      await streamed.text();
      expect(open()).toBe(0);
    }
  });

  test("when nobody reads it any more", async () => {
    const { watch, open } = await withStreams(2);
    const [one, other] = [await watch(), await watch()];
    await one.body?.cancel();
    await one.body?.cancel();
    expect(open()).toBe(1);
    await other.body?.cancel();
    expect(open()).toBe(0);
  });

  test("when the stream breaks", async () => {
    const { get, open } = await withStreams(1);
    const broken = new ReadableStream<Uint8Array>({ pull: () => Promise.reject(new Error("host lost")) });
    const { readArchive } = h.provider;
    h.provider.readArchive = async () => broken;
    const response = await get("archive?path=/home/user");
    h.provider.readArchive = readArchive;
    expect([response.status, open()]).toEqual([200, 1]);
    await expect(response.text()).rejects.toThrow();
    expect(open()).toBe(0);
  });

  test("when it did not begin", async () => {
    const { id, get, open } = await withStreams(1);
    for (const path of [`exec/${newExecId()}`, "processes/77/events", "watch?path=/nowhere"])
      expect((await get(path)).status).toBe(404);
    h.provider.failNext("watch", new Error("connect ECONNREFUSED"));
    expect((await get("watch?path=/home/user")).status).toBe(500);
    expect([id.length, open()]).toEqual([24, 0]);
  });

  test("when its client has reset the connection", async () => {
    const { id, key, open } = await withStreams(1);
    const asked = request(`${url}/v1/sandboxes/${id}/watch?path=/home/user`, {
      headers: { authorization: `Bearer ${key}` },
      agent: false,
    });
    asked.on("error", () => undefined);
    const began = new Promise((resolve) => asked.once("response", resolve));
    asked.end();
    await began;
    expect(open()).toBe(1);
    asked.socket?.resetAndDestroy();
    await expect.poll(open).toBe(0);
  });
});

test("A31: the place in a stream is an event's number, of a command of this sandbox", async () => {
  const { id, key, get } = await withStreams(5);
  const execs = `/v1/sandboxes/${id}/exec`;
  const headers = { accept: "text/event-stream" };
  const streamed = await h.send("POST", execs, { key, json: { command: "echo hello" }, headers });
  await streamed.text();
  const execId = streamed.headers.get("x-sandgate-exec-id");
  for (const junk of ["-1", "1e99", "99999999999999999999", "1.5", "x", "0x1", " "]) {
    const refused = await get(`exec/${execId}`, { "last-event-id": junk });
    expect([junk, await problemOf(refused)]).toMatchObject([junk, { code: "invalid_request", status: 400 }]);
  }
  const mine = await get(`exec/${execId}`, { "last-event-id": "6" });
  const rest = await mine.text();
  // The six bytes of its output end with number 6, its exit has the next one.
  expect([mine.status, rest.includes("id: 6\n"), rest.includes("id: 7\n")]).toEqual([200, false, true]);
  const elsewhere = (await h.create({}, key)).id;
  const foreign = await h.send("GET", `/v1/sandboxes/${elsewhere}/exec/${execId}`, { key });
  expect((await problemOf(foreign)).code).toBe("exec_not_found");
});

test("archives count as what they are, answers that go on; results and files do not", async () => {
  const { get, id, key, watch } = await withStreams(1);
  await watch();
  expect((await problemOf(await get("archive?path=/home/user"))).code).toBe("too_many_streams");
  const exec = await h.send("POST", `/v1/sandboxes/${id}/exec`, { key, json: { command: "echo" } });
  expect(exec.status).toBe(200);
  expect((await get("entries?path=/home/user")).status).toBe(200);
});

/** A watch that has an event whenever it is asked for one, read with a tenant's key, or with what `show` makes of it. */
async function reading(show = async (key: string, _id: string) => key) {
  await h.heartbeat();
  const me = await h.tenant(`reading-${tenants++}`);
  const { id } = await h.create({}, me.key);
  const shown = await show(me.key, id);
  let isGivenUp = false;
  const event = toBytes(eventFrame("write", {}, 1));
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(event),
    cancel: () => {
      isGivenUp = true;
    },
  });
  const { watch } = h.provider;
  h.provider.watch = async () => endless;
  const response = await h.send("GET", `/v1/sandboxes/${id}/watch?path=/home/user`, { key: shown });
  h.provider.watch = watch;
  await h.settled();
  const reader = response.body?.getReader();
  const next = async () => {
    const { value } = (await reader?.read()) ?? {};
    return value && new TextDecoder().decode(value);
  };
  const open = () => h.deps.openStreams.count(me.tenantId);
  return { keyId: me.id, tenantId: me.tenantId, next, open, isGivenUp: () => isGivenUp };
}

describe("a stream that is being read ends with `error`", () => {
  const change = (sql: string) => (id: string) => h.database.client.execute({ sql, args: [id] });
  const byToken = (expiresInSeconds: number) => async (key: string, id: string) => {
    const issued = await h.send("POST", `/v1/sandboxes/${id}/tokens`, { key, json: { expiresInSeconds } });
    return SandboxToken.parse(await issued.json()).token;
  };
  const revoke = change("UPDATE keys SET revoked_at_ms = 1 WHERE id = ?");
  const expire = change("UPDATE keys SET expires_at_ms = 1 WHERE id = ?");
  const suspend = change("UPDATE tenants SET suspended_at_ms = 1 WHERE id = ?");

  // By another isolate, each of them, so that nothing here has heard of it.
  test.each([
    [
      "its key is revoked",
      "unauthenticated",
      () => reading(),
      ({ keyId }: { keyId: string }) => revoke(keyId),
    ],
    ["its key expires", "unauthenticated", () => reading(), ({ keyId }: { keyId: string }) => expire(keyId)],
    [
      "its tenant is suspended",
      "forbidden",
      () => reading(),
      ({ tenantId }: { tenantId: string }) => suspend(tenantId),
    ],
    ["its token is over", "unauthenticated", () => reading(byToken(10)), async () => undefined],
    [
      "the key of its token is revoked",
      "unauthenticated",
      () => reading(byToken(60)),
      ({ keyId }: { keyId: string }) => revoke(keyId),
    ],
  ])("when %s", async (_what, code, begin, stop) => {
    const mine = await begin();
    const other = await reading();
    for (const { next } of [mine, other]) expect(await next()).toContain("event: write\n");
    await stop(mine);
    h.clock.advance(10_000);
    const last = await mine.next();
    expect(last).toMatch(/^event: error\n/);
    expect(last).toContain(`"code":"${code}"`);
    expect([await mine.next(), mine.open(), mine.isGivenUp()]).toEqual([undefined, 0, true]);
    expect(await other.next()).toContain("event: write\n");
  });
});

test("a stream asks whether its key still counts once in four seconds, and mostly without a read", async () => {
  const { next } = await reading();
  const readsOf = async (pieces: number) => {
    for (let i = 0; i < pieces; i++) expect(await next()).toContain("event: write\n");
    return h.database.takeCount();
  };
  h.database.takeCount();
  expect(await readsOf(50)).toBe(0);
  h.clock.advance(4_000);
  expect(await readsOf(50)).toBe(1);
  h.clock.advance(4_000);
  expect(await readsOf(50)).toBe(0);
});
