import { afterEach, beforeEach, expect, test } from "vitest";
import { HostPage, OperatorHost, OperatorSandboxPage } from "#contract/operator-host";
import { type Harness, harness, problemOf } from "#test/support/harness";
import { heartbeatOf, heartbeatPath, signedHeartbeat } from "#test/support/heartbeats";

let h: Harness;
beforeEach(async () => {
  h = await harness({ hosts: 2 });
});
afterEach(() => h.close());

const admin = (method: string, path: string) => h.send(method, `/admin/v1/hosts${path}`, { key: h.adminKey });
const read = async (id: string) => OperatorHost.parse(await (await admin("GET", `/${id}`)).json());
const hostsOf = async (count: number) => {
  const ids = new Set<string>();
  for (let i = 0; i < count; i++) ids.add((await h.create()).id.slice(0, 4));
  return [...ids];
};

test("hosts are listed with what is on them, whether they are heard or not", async () => {
  const { id } = await h.create();
  const page = HostPage.parse(await (await admin("GET", "")).json());
  expect(page.items.map(({ state }) => state)).toEqual(["up", "up"]);
  const own = page.items.find(({ code }) => id.startsWith(code));
  expect(own).toMatchObject({ sandboxes: 1, cores: 4 });
  const on = await admin("GET", `/${own?.id}/sandboxes`);
  expect(OperatorSandboxPage.parse(await on.json()).items).toMatchObject([{ id, tenantId: h.tenantId }]);
  h.clock.advance(15_000);
  expect((await read(h.host.hostId)).state).toBe("silent");
});

test("a drained host gets nothing more, its own heartbeats do not undo it, and undrain does", async () => {
  const [first, second] = h.hosts;
  if (!first || !second) throw new Error("There are two.");
  const drained = OperatorHost.parse(await (await admin("POST", `/${first.hostId}/drain`)).json());
  expect(drained).toMatchObject({ state: "draining", isDraining: true });
  expect(await hostsOf(4)).toEqual([second.code]);
  await h.heartbeat({ isDraining: false }, first);
  h.clock.advance(3_000);
  await h.heartbeat({}, second);
  expect(await hostsOf(4)).toEqual([second.code]);
  await admin("POST", `/${first.hostId}/undrain`);
  await admin("POST", `/${second.hostId}/drain`);
  expect(await hostsOf(1)).toEqual([first.code]);
  const { rows } = await h.database.client.execute("SELECT action FROM audit WHERE actor = 'operator'");
  expect(rows.map(({ action }) => action)).toEqual(["host.drained", "host.undrained", "host.drained"]);
});

test("a host is removed when nothing is on it, and is not heard any more", async () => {
  const { id } = await h.create();
  const host = h.hosts.find(({ code }) => id.startsWith(code));
  if (!host) throw new Error("It is on one of them.");
  const refused = await admin("DELETE", `/${host.hostId}`);
  expect(await problemOf(refused)).toMatchObject({ code: "conflict", facts: { sandboxes: 1 } });
  expect(await h.read(id)).toMatchObject({ state: "running" });
  await h.send("DELETE", `/v1/sandboxes/${id}`, { key: h.key });
  expect(await (await admin("DELETE", `/${host.hostId}`)).json()).toEqual({
    id: host.hostId,
    endedSandboxes: 0,
  });
  expect((await admin("GET", `/${host.hostId}`)).status).toBe(404);
  h.clock.advance(10);
  const said = heartbeatOf(host, h.clock.now());
  const beat = await h.app.request(heartbeatPath, await signedHeartbeat(host, said, h.clock.now()));
  expect(beat.status).toBe(403);
});

test("a host that is confirmed dead gives up its sandboxes and their slots at once", async () => {
  const made = [];
  for (let i = 0; i < 6; i++) made.push((await h.create()).id);
  const dead = made.filter((id) => id.startsWith(h.host.code));
  const condemned = dead[0] ?? "";
  await h.database.client.execute({
    sql: "UPDATE sandboxes SET state = 'ending', end_reason = 'killed' WHERE id = ?",
    args: [condemned],
  });
  const removed = await admin("DELETE", `/${h.host.hostId}?confirmDead=true`);
  expect(await removed.json()).toEqual({ id: h.host.hostId, endedSandboxes: dead.length });
  expect(await h.slotsUsed()).toBe(6 - dead.length);
  for (const id of made) {
    const wanted = !dead.includes(id)
      ? { state: "running" }
      : { state: "ended", endReason: id === condemned ? "killed" : "host_lost" };
    expect(await h.read(id)).toMatchObject(wanted);
  }
  expect((await admin("DELETE", `/${h.host.hostId}?confirmDead=true`)).status).toBe(404);
});
