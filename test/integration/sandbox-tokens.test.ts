import { afterEach, beforeEach, expect, test } from "vitest";
import { NewKey } from "#contract/key";
import { readToken, SandboxToken } from "#contract/token";
import { type Harness, harness, problemOf } from "#test/support/harness";
import { AppError } from "#worker/errors";

let h: Harness;
let id: string;
beforeEach(async () => {
  h = await harness();
  ({ id } = await h.create({ lifetimeSeconds: 600 }));
});
afterEach(() => h.close());

const issue = (json: object = {}, key = h.key) => h.send("POST", `/v1/sandboxes/${id}/tokens`, { key, json });
async function tokenOf(json: object = {}, key = h.key): Promise<string> {
  return SandboxToken.parse(await (await issue(json, key)).json()).token;
}
const exec = (key: string, of = id) =>
  h.send("POST", `/v1/sandboxes/${of}/exec`, { key, json: { command: "echo" } });
async function keyWith(json: object): Promise<NewKey> {
  const made = await h.send("POST", "/v1/keys", { key: h.key, json: { name: "made", ...json } });
  return NewKey.parse(await made.json());
}

test("a token runs commands in its sandbox, by either header, and costs one read in five seconds", async () => {
  const token = await tokenOf();
  expect((await exec(token)).status).toBe(200);
  h.database.takeCount();
  for (let i = 0; i < 20; i++) expect((await exec(token)).status).toBe(200);
  expect(h.database.takeCount()).toBe(0);
  h.clock.advance(5_000);
  // What needs nothing but the key's standing.
  expect((await h.send("GET", "/v1/sandboxes", { key: token })).status).toBe(403);
  expect(h.database.takeCount()).toBe(1);
  const path = `/v1/sandboxes/${id}/exec`;
  const byHeader = await h.send("POST", path, { headers: { "x-api-key": token }, json: { command: "echo" } });
  expect(byHeader.status).toBe(200);
});

test("a token has the scopes that it asks for, none that its key lacks, and loses what its key loses", async () => {
  const narrow = await tokenOf({ scopes: ["files:read"] });
  expect(await problemOf(await exec(narrow))).toMatchObject({ code: "forbidden", facts: { scope: "exec" } });
  const maker = await keyWith({ scopes: ["sandbox:write", "files:read"] });
  const refused = await issue({ scopes: ["exec"] }, maker.key);
  expect(await problemOf(refused)).toMatchObject({ code: "forbidden", facts: { scope: "exec" } });
  const made = SandboxToken.parse(await (await issue({}, maker.key)).json());
  expect(made.scopes).toEqual(["sandbox:write", "files:read"]);
  await h.database.client.execute({
    sql: `UPDATE keys SET scopes = '["sandbox:write"]' WHERE id = ?`,
    args: [maker.id],
  });
  h.clock.advance(5_000);
  const read = await h.send("GET", `/v1/sandboxes/${id}/files?path=a`, { key: made.token });
  expect(await problemOf(read)).toMatchObject({ code: "forbidden", facts: { scope: "files:read" } });
});

test("the host is told when what opens a connection ends by itself: a token, or the key", async () => {
  const token = await tokenOf({ expiresInSeconds: 60 });
  const brief = await keyWith({ scopes: ["exec"], expiresInSeconds: 120 });
  const said: unknown[] = [];
  const { provider } = h.deps;
  provider.attachProcess = async (_place, _name, { keyId, untilMs }) => {
    said.push([keyId, untilMs]);
    throw new AppError("process_ended", "It has ended.");
  };
  provider.requestPort = async (_place, { keyId, untilMs }) => {
    said.push([keyId, untilMs]);
    return new Response("hello");
  };
  for (const [key, keyId, untilMs] of [
    [token, h.id, readToken(token)?.claims.expiresAtMs],
    [brief.key, brief.id, Date.parse(brief.expiresAt ?? "")],
    [h.key, h.id, null],
  ] as const) {
    const headers = { upgrade: "websocket" };
    await h.send("GET", `/v1/sandboxes/${id}/processes/77/attach`, { key, headers });
    await h.send("GET", `/v1/sandboxes/${id}/ports/8000/`, { key });
    await h.send("GET", `http://8000-${id}.sandboxes.test/`, { key });
    expect(said.splice(0)).toEqual(Array(3).fill([keyId, untilMs]));
  }
});

test("a token ends at its time, which is never past its sandbox's nor its key's", async () => {
  const seconds = (token: string) =>
    Math.round(((readToken(token)?.claims.expiresAtMs ?? 0) - h.clock.now()) / 1000);
  const short = await tokenOf({ expiresInSeconds: 60 });
  expect(seconds(short)).toBeLessThanOrEqual(60);
  expect(seconds(await tokenOf({ expiresInSeconds: 86_400 }))).toBeLessThanOrEqual(600);
  const maker = await keyWith({ scopes: ["sandbox:write"], expiresInSeconds: 120 });
  expect(seconds(await tokenOf({}, maker.key))).toBeLessThanOrEqual(120);
  h.clock.advance(60_000);
  expect((await exec(short)).status).toBe(401);
});

test("a token ends with its key: at once here", async () => {
  const maker = await keyWith({ scopes: ["sandbox:write", "exec"] });
  const token = await tokenOf({}, maker.key);
  expect((await exec(token)).status).toBe(200);
  await h.send("DELETE", `/v1/keys/${maker.id}`, { key: h.key });
  expect((await exec(token)).status).toBe(401);
});

test("a token ends with its sandbox, and there is none for one that has ended", async () => {
  const token = await tokenOf();
  await h.send("DELETE", `/v1/sandboxes/${id}`, { key: token });
  const read = await h.send("GET", `/v1/sandboxes/${id}`, { key: token });
  expect(await problemOf(read)).toMatchObject({ code: "sandbox_ended", facts: { endReason: "killed" } });
  expect((await exec(token)).status).toBe(410);
  expect(await problemOf(await issue())).toMatchObject({ code: "sandbox_ended" });
});

test("a token gets nothing that outlives it: no key, no token, no traffic token", async () => {
  const token = await tokenOf();
  const refused = [
    await issue({}, token),
    await h.send("GET", `/v1/sandboxes/${id}/ports`, { key: token }),
    await h.send("POST", "/v1/keys", { key: token, json: { name: "x", scopes: ["exec"] } }),
    await h.send("POST", "/v1/sandboxes", { key: token, json: {} }),
    await h.send("GET", "/v1/sandboxes", { key: token }),
  ];
  for (const response of refused) expect(await problemOf(response)).toMatchObject({ code: "forbidden" });
});

test("a token opens the ports of its sandbox, by path and by host name, and of no other", async () => {
  const { id: other } = await h.create();
  h.provider.servers.set(8_000, ({ headers }) => {
    expect(Object.keys(headers)).not.toContain("authorization");
    return new Response("page");
  });
  const token = await tokenOf({ scopes: ["exec"] });
  const byName = (of: string) => {
    const headers = { authorization: `Bearer ${token}` };
    return h.app.request(`http://8000-${of}.${h.deps.sandboxDomain}/`, { headers });
  };
  const byPath = (of: string) => h.send("GET", `/v1/sandboxes/${of}/ports/8000/`, { key: token });
  expect([(await byPath(id)).status, (await byName(id)).status]).toEqual([200, 200]);
  expect([(await byPath(other)).status, (await byName(other)).status]).toEqual([404, 502]);
});

test("that a token was made is noted, and the token is in no row and no log", async () => {
  const token = await tokenOf({ scopes: ["exec"], expiresInSeconds: 60 });
  await exec(token);
  const { rows } = await h.database.client.execute("SELECT * FROM audit WHERE action = 'token.issued'");
  expect(rows).toMatchObject([{ subject: id, actor: `key:${h.id}`, tenant_id: h.tenantId }]);
  expect(JSON.stringify([rows, h.events])).not.toContain(token.slice(-32));
});
