import { afterEach, beforeEach, expect, test } from "vitest";
import { SandboxPage } from "#contract/sandbox";
import { type Harness, harness, problemOf } from "#test/support/harness";
import { registerTemplate } from "#worker/templates/register";

let h: Harness;
beforeEach(async () => {
  h = await harness({ maxSandboxes: 50 });
});
afterEach(() => h.close());

test("a sandbox is created, runs a command, keeps a file, and ends", async () => {
  const sandbox = await h.create({ template: "python", env: { NAME: "you" }, metadata: { a: "b" } });
  expect(sandbox).toMatchObject({ template: "base", state: "running", metadata: { a: "b" }, cpu: 1 });
  expect(sandbox.id.startsWith(h.host.code)).toBe(true);
  const path = `/v1/sandboxes/${sandbox.id}`;

  const ran = await h.send("POST", `${path}/exec`, { key: h.key, json: { command: "printenv NAME" } });
  expect(await ran.json()).toMatchObject({ exitCode: 0, stdout: "you\n" });
  const wrote = await h.send("PUT", `${path}/files?path=n.txt`, { key: h.key, body: "hi" });
  expect(await wrote.json()).toMatchObject({ path: "/home/user/n.txt", size: 2 });
  const read = await h.send("GET", `${path}/files?path=n.txt`, { key: h.key });
  expect(await read.text()).toBe("hi");

  expect((await h.send("DELETE", path, { key: h.key })).status).toBe(204);
  expect(await h.read(sandbox.id)).toMatchObject({ state: "ended", endReason: "killed" });
  const dead = await h.send("POST", `${path}/exec`, { key: h.key, json: { command: "echo" } });
  expect(dead.status).toBe(410);
  expect(await problemOf(dead)).toMatchObject({ code: "sandbox_ended", facts: { endReason: "killed" } });
  expect((await h.send("DELETE", path, { key: h.key })).status).toBe(204);
  expect(await h.slotsUsed()).toBe(0);
});

test("limits come from the request, then the template, then the settings, and are shown", async () => {
  const defaults = { cpu: 1, memoryMiB: 256, pids: 256, diskMiB: 1024 };
  expect(await h.read((await h.create()).id)).toMatchObject(defaults);
  const limits = { cpu: 0.5, memoryMiB: 512, pids: 128, diskMiB: 64 };
  await registerTemplate(h.deps, { name: "small", aliases: [], digest: "sha256:1", ...limits });
  h.clock.advance(11_000); // past the time that templates are cached for
  await h.heartbeat();
  expect(await h.read((await h.create({ template: "small" })).id)).toMatchObject(limits);
  const asked = { cpu: 2, memoryMiB: 1024, pids: 4096, diskMiB: 102_400 };
  const sandbox = await h.create({ template: "small", ...asked });
  expect(await h.read(sandbox.id)).toMatchObject(asked);
  expect(h.provider.held.get(sandbox.id)?.spec).toMatchObject(asked);
});

test("a sandbox shows the disk that its host could give, also where that is less than was asked for", async () => {
  const create = h.provider.create.bind(h.provider);
  h.provider.create = async (place, spec) => ({ ...(await create(place, spec)), diskMiB: 128 });
  const sandbox = await h.create({ diskMiB: 1024 });
  h.provider.create = create;
  expect(sandbox.diskMiB).toBe(128);
  await h.heartbeat();
  expect(await h.read(sandbox.id)).toMatchObject({ state: "running", diskMiB: 128 });
});

test("a tenant's bytes are answered so that no browser runs them", async () => {
  const { id } = await h.create();
  const path = `/v1/sandboxes/${id}/files?path=x.html`;
  await h.send("PUT", path, { key: h.key, body: "<script>" });
  const { headers } = await h.send("GET", path, { key: h.key });
  expect(headers.get("content-type")).toBe("application/octet-stream");
  expect(headers.get("content-security-policy")).toBe("sandbox");
  expect(headers.get("x-content-type-options")).toBe("nosniff");
  expect(headers.get("content-disposition")).toBe("attachment");
  expect(headers.get("cache-control")).toBe("no-store");
  expect(headers.get("set-cookie")).toBeNull();
});

test("exec and files ask no database once the key and the host are known", async () => {
  const { id } = await h.create();
  h.database.takeCount();
  await h.send("POST", `/v1/sandboxes/${id}/exec`, { key: h.key, json: { command: "echo" } });
  await h.send("PUT", `/v1/sandboxes/${id}/files?path=a`, { key: h.key, body: "a" });
  await h.send("GET", `/v1/sandboxes/${id}/files?path=a`, { key: h.key });
  expect(h.database.takeCount()).toBe(0);
});

test("a create costs one batched write", async () => {
  await h.create();
  h.database.takeCount();
  await h.send("POST", "/v1/sandboxes", { key: h.key, json: {} });
  const beforeAnswer = h.database.takeCount();
  await h.settled();
  // The second statement is `running`, which the answer does not wait for.
  expect(beforeAnswer + h.database.takeCount()).toBe(2);
});

test("pages go from new to old, without gaps or repeats, and filter by state", async () => {
  const { key } = await h.tenant("pages");
  const made: string[] = [];
  for (let i = 0; i < 5; i++) {
    made.push((await h.create({}, key)).id);
    if (i % 2) h.clock.advance(1);
  }
  const seen: string[] = [];
  let cursor = "";
  do {
    const response = await h.send("GET", `/v1/sandboxes?limit=2${cursor}`, { key });
    const page = SandboxPage.parse(await response.json());
    seen.push(...page.items.map((item) => item.id));
    cursor = page.nextCursor ? `&cursor=${page.nextCursor}` : "";
  } while (cursor);
  expect([...seen].sort()).toEqual([...made].sort());
  expect(seen[0]).toBe(made[4]);
  await h.send("DELETE", `/v1/sandboxes/${made[0]}`, { key });
  const ended = await h.send("GET", "/v1/sandboxes?state=ended", { key });
  expect(SandboxPage.parse(await ended.json()).items.map((item) => item.id)).toEqual([made[0]]);
});

test("a lifetime counts from the creation and must end in the future", async () => {
  const sandbox = await h.create({ lifetimeSeconds: 60 });
  const path = `/v1/sandboxes/${sandbox.id}`;
  h.clock.advance(30_000);
  const longer = await h.send("PATCH", path, { key: h.key, json: { lifetimeSeconds: 120 } });
  const expiresAt = new Date(Date.parse(sandbox.createdAt) + 120_000).toISOString();
  expect(await longer.json()).toMatchObject({ lifetimeSeconds: 120, expiresAt });
  expect(h.provider.liveOn(h.host.hostId).find((live) => live.sandboxId === sandbox.id)?.expiresAtMs).toBe(
    Date.parse(expiresAt),
  );
  const past = await h.send("PATCH", path, { key: h.key, json: { lifetimeSeconds: 20 } });
  expect(past.status).toBe(400);
  expect(await problemOf(past)).toMatchObject({ issues: [{ path: "lifetimeSeconds" }] });
});

test("a sandbox past its deadline is not revived, for its slot may be another's by now", async () => {
  await h.heartbeat();
  const { id } = await h.create({ lifetimeSeconds: 10 });
  h.clock.advance(10_000);
  const late = await h.send("PATCH", `/v1/sandboxes/${id}`, { key: h.key, json: { lifetimeSeconds: 600 } });
  expect([late.status, await problemOf(late)]).toMatchObject([410, { facts: { endReason: "lifetime" } }]);
});

test("HEAD tells what GET would, without the bytes", async () => {
  await h.heartbeat();
  const { id } = await h.create();
  const path = `/v1/sandboxes/${id}/files?path=a`;
  await h.send("PUT", path, { key: h.key, body: "abc" });
  const head = await h.send("HEAD", path, { key: h.key });
  expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, "3", ""]);
  expect((await h.send("HEAD", path)).status).toBe(401);
});

test("metadata is replaced without asking the host", async () => {
  await h.heartbeat();
  const { id } = await h.create({ metadata: { a: "1" } });
  h.provider.calls.length = 0;
  const changed = await h.send("PATCH", `/v1/sandboxes/${id}`, {
    key: h.key,
    json: { metadata: { b: "2" } },
  });
  expect(await changed.json()).toMatchObject({ metadata: { b: "2" } });
  expect(h.provider.calls).toEqual([]);
});

test("readyz says degraded while no host is heard, and 503 when the database is away", async () => {
  const other = await harness();
  expect(await (await other.send("GET", "/readyz")).json()).toMatchObject({ status: "ok" });
  other.clock.advance(60_000);
  expect(await (await other.send("GET", "/readyz")).json()).toMatchObject({ status: "degraded" });
  await other.close();
  other.clock.advance(60_000);
  const away = await other.send("GET", "/readyz");
  expect(away.status).toBe(503);
  expect(await problemOf(away)).toMatchObject({ code: "unavailable", retryable: true });
});
