import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { scopes } from "#contract/api";
import { Key, KeyPage, NewKey } from "#contract/key";
import { limits } from "#contract/limits";
import { testConfig } from "#test/support/config";
import { type Harness, harness, problemOf } from "#test/support/harness";
import { createApp } from "#worker/app";
import { makeKeyring } from "#worker/auth/keyring";
import { registerTemplate } from "#worker/templates/register";

let h: Harness;
beforeEach(async () => {
  h = await harness();
  await registerTemplate(h.deps, { name: "other", aliases: ["strange"], digest: "sha256:1" });
});
afterEach(() => h.close());

const post = (json: object, key = h.key, headers = {}) => h.send("POST", "/v1/keys", { key, json, headers });
async function make(json: object, key = h.key): Promise<NewKey> {
  const response = await post({ name: "made", scopes: ["sandbox:read"], ...json }, key);
  if (response.status !== 201) throw new Error(await response.text());
  return NewKey.parse(await response.json());
}
const list = (key = h.key) => h.send("GET", "/v1/sandboxes", { key });

describe("a key that a key makes", () => {
  test("works at once, and is shown this once only", async () => {
    const made = await make({ name: "ci" });
    expect((await list(made.key)).status).toBe(200);
    const shown = await h.send("GET", `/v1/keys/${made.id}`, { key: h.key });
    const text = await shown.text();
    expect(text).not.toContain(made.key.slice(14));
    expect(Key.parse(JSON.parse(text))).toMatchObject({ name: "ci", prefix: made.key.slice(0, 10) });
  });

  test.each([
    ["scopes", { scopes: ["sandbox:read", "exec"] }],
    ["templates", { templates: ["strange"] }],
    ["expiresAt", { expiresInSeconds: 3_601 }],
  ])("has no %s wider than its maker's", async (path, wider) => {
    const maker = await make({
      scopes: ["sandbox:read", "keys:write"],
      templates: ["base"],
      expiresInSeconds: 3_600,
    });
    const wanted = { name: "wide", scopes: ["sandbox:read"], ...wider };
    const response = await post(wanted, maker.key);
    expect(await problemOf(response)).toMatchObject({ status: 403, code: "forbidden", issues: [{ path }] });
    expect((await post(wanted)).status).toBe(201);
  });

  test("has its maker's restrictions where it asks for none", async () => {
    const maker = await make({ scopes: ["keys:write"], templates: ["python"], expiresInSeconds: 60 });
    const made = await make({ scopes: ["keys:write"] }, maker.key);
    expect(made).toMatchObject({ templates: ["base"], expiresAt: maker.expiresAt });
  });

  test.each([
    ["budget", { budget: { monthlyCapMicros: 5 } }],
    ["rate", { rate: { requestsPerSecond: 10, burst: 20 } }],
  ])("cannot multiply a %s: a key that has one makes no keys", async (_what, own) => {
    const maker = await make({ scopes: ["keys:write"], ...own });
    for (const its of [{}, own]) {
      const response = await post({ name: "more", scopes: ["keys:write"], ...its }, maker.key);
      expect(await problemOf(response)).toMatchObject({ status: 403, code: "forbidden" });
    }
  });

  test("is not made any more by a key that was revoked in the meantime", async () => {
    const maker = await make({ scopes: ["keys:write"] });
    expect((await post({ name: "a", scopes: ["keys:write"] }, maker.key)).status).toBe(201);
    // By another isolate, so that this one still takes the key.
    await h.database.client.execute({
      sql: "UPDATE keys SET revoked_at_ms = 1 WHERE id = ?",
      args: [maker.id],
    });
    const response = await post({ name: "b", scopes: ["keys:write"] }, maker.key);
    expect(await problemOf(response)).toMatchObject({ code: "conflict" });
  });

  test("ends when it says", async () => {
    const made = await make({ expiresAt: new Date(h.clock.now() + 60_000).toISOString() });
    expect((await list(made.key)).status).toBe(200);
    h.clock.advance(60_000);
    expect((await list(made.key)).status).toBe(401);
    expect((await post({ name: "late", scopes: ["exec"], expiresAt: "2001-01-01T00:00:00Z" })).status).toBe(
      400,
    );
  });
});

describe("templates", () => {
  test("a key makes sandboxes, batches and runs of the templates that it is restricted to, and of no other", async () => {
    const { key } = await make({ scopes: ["sandbox:write", "runs:write"], templates: ["strange"] });
    const makers: [string, object][] = [
      ["/v1/sandboxes", {}],
      ["/v1/sandboxes/batch", { count: 2 }],
      ["/v1/runs?wait=10", { command: "echo" }],
    ];
    for (const [path, body] of makers) {
      // An alias of another template, and the default, are no way around it.
      for (const json of [{ ...body, template: "python" }, body]) {
        const refused = await h.send("POST", path, { key, json });
        expect(await problemOf(refused)).toMatchObject({
          code: "forbidden",
          detail: expect.stringContaining("base"),
          facts: { template: "base" },
        });
      }
      const taken = await h.send("POST", path, { key, json: { ...body, template: "other" } });
      expect([path, taken.ok]).toEqual([path, true]);
    }
  });

  test("a key's template must be there", async () => {
    const response = await post({ name: "x", scopes: ["exec"], templates: ["nothing"] });
    expect(await problemOf(response)).toMatchObject({ code: "template_not_found" });
  });
});

describe("revoking", () => {
  test("stops a key at once here and within five seconds elsewhere, and may be repeated", async () => {
    const made = await make({});
    const elsewhere = createApp({ ...h.deps, keyring: makeKeyring(testConfig.keySecret) });
    const there = () =>
      elsewhere.request("/v1/sandboxes", { headers: { authorization: `Bearer ${made.key}` } });
    expect([(await list(made.key)).status, (await there()).status]).toEqual([200, 200]);
    for (let i = 0; i < 2; i++) {
      expect((await h.send("DELETE", `/v1/keys/${made.id}`, { key: h.key })).status).toBe(204);
    }
    expect((await list(made.key)).status).toBe(401);
    h.clock.advance(5_000);
    expect((await there()).status).toBe(401);
    const shown = await (await h.send("GET", `/v1/keys/${made.id}`, { key: h.key })).json();
    expect(shown).toHaveProperty("revokedAt");
  });

  test("an operator revokes anybody's", async () => {
    const made = await make({});
    expect((await list(made.key)).status).toBe(200);
    await h.send("DELETE", `/admin/v1/keys/${made.id}`, { key: h.adminKey });
    expect((await list(made.key)).status).toBe(401);
  });
});

test("a list of keys comes in pages, each key once, without the revoked ones", async () => {
  const names = Array.from({ length: 7 }, (_, i) => `key-${i}`);
  for (const name of names) await make({ name });
  const gone = await make({ name: "gone" });
  await h.send("DELETE", `/v1/keys/${gone.id}`, { key: h.key });
  const seen: string[] = [];
  let cursor: string | undefined;
  do {
    const query = cursor === undefined ? "limit=3" : `limit=3&cursor=${cursor}`;
    const page = KeyPage.parse(await (await h.send("GET", `/v1/keys?${query}`, { key: h.key })).json());
    seen.push(...page.items.map(({ name }) => name));
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  expect(seen.sort()).toEqual([...names, "test"].sort());
  const { key } = await h.tenant("another");
  expect((await h.send("GET", "/v1/keys", { key })).status).toBe(200);
});

describe("sending it again", () => {
  const headers = { "idempotency-key": "one" };
  const wanted = { name: "once", scopes: ["exec"] };

  test("makes one key however often and at once it is sent, and says which without its secret", async () => {
    const answers = await Promise.all(Array.from({ length: 5 }, () => post(wanted, h.key, headers)));
    const made = answers.filter(({ status }) => status === 201);
    expect(made).toHaveLength(1);
    const { id, key } = NewKey.parse(await made[0]?.json());
    for (const response of [
      ...answers.filter((each) => each !== made[0]),
      await post(wanted, h.key, headers),
    ]) {
      const text = await response.text();
      expect(JSON.parse(text)).toMatchObject({ status: 409, code: "already_created", facts: { id } });
      expect(text).not.toContain(key);
    }
    const { rows } = await h.database.client.execute("SELECT count(*) AS n FROM keys WHERE name = 'once'");
    expect(rows[0]?.n).toBe(1);
  });

  test("with another body is a mismatch, and after a day it is a new request", async () => {
    await post(wanted, h.key, headers);
    const other = await post({ ...wanted, name: "other" }, h.key, headers);
    expect(await problemOf(other)).toMatchObject({ code: "idempotency_mismatch" });
    h.clock.advance(limits.idempotencyKeptMs + 1);
    expect((await post({ ...wanted, name: "other" }, h.key, headers)).status).toBe(201);
  });
});

test("a tenant has so many keys at most, and revoked ones do not count", async () => {
  const values = Array.from({ length: limits.keysMax - 1 }, (_, i) => `('key_${i}', '${i}')`).join(",");
  await h.database.client.execute({
    sql: `INSERT INTO keys (id, tenant_id, hash, prefix, name, scopes, created_at_ms)
      SELECT column1, ?, substr(column2 || 'x' || hex(zeroblob(32)), 1, 64), 'p', 'n', '[]', 0 FROM (VALUES ${values})`,
    args: [h.tenantId],
  });
  const refused = await post({ name: "one more", scopes: ["exec"] });
  expect(await problemOf(refused)).toMatchObject({
    code: "quota_exceeded",
    facts: { limit: limits.keysMax, used: limits.keysMax },
  });
  await h.database.client.execute("UPDATE keys SET revoked_at_ms = 1 WHERE id = 'key_1'");
  expect((await post({ name: "one more", scopes: ["exec"] })).status).toBe(201);
});

test("the audit has every key that was made and revoked, by whom, and no key", async () => {
  const made = await make({ name: "noted", scopes: ["exec"] });
  await h.send("DELETE", `/v1/keys/${made.id}`, { key: h.key });
  await h.send("DELETE", `/v1/keys/${made.id}`, { key: h.key });
  const { rows } = await h.database.client.execute({
    sql: "SELECT * FROM audit WHERE subject = ? ORDER BY sequence",
    args: [made.id],
  });
  expect(rows.map(({ action, actor }) => [action, actor])).toEqual([
    ["key.created", `key:${h.id}`],
    ["key.revoked", `key:${h.id}`],
  ]);
  const everything = JSON.stringify([rows, h.events]);
  expect(rows[0]?.request_id).toMatch(/^req_/);
  expect(everything).not.toContain(made.key.slice(10));
  expect(everything).not.toContain(h.key.slice(10));
});

test("every scope can be given, and none is unknown to the list", async () => {
  expect((await make({ scopes })).scopes).toEqual([...scopes]);
  expect((await post({ name: "x", scopes: ["everything"] })).status).toBe(400);
  expect((await post({ name: "x", scopes: [] })).status).toBe(400);
});
