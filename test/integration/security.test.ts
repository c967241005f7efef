import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ApiRow, scopes } from "#contract/api";
import { newKeyId, newRunId, newSandboxId } from "#contract/ids";
import type { Run } from "#contract/run";
import { type Harness, harness, problemOf } from "#test/support/harness";
import { tenantRows, withParams } from "#test/support/rows";
import { issueKey } from "#worker/auth/issue-key";
import { makeKey } from "#worker/auth/key-format";
import { revokeKey } from "#worker/auth/revoke-key";

let h: Harness;
beforeAll(async () => {
  h = await harness({ maxSandboxes: 100 });
});
afterAll(() => h.close());

const onSandbox = tenantRows.filter(([, row]) => row.path.startsWith("/v1/sandboxes/:id"));
const onRun = tenantRows.filter(([, row]) => row.path.startsWith("/v1/runs/:id"));
const onKey = tenantRows.filter(([, row]) => row.path.startsWith("/v1/keys/:id"));

type As = { key?: string; id?: string; headers?: Record<string, string> };
/** The example of a row, sent as somebody. */
function call(row: ApiRow, as: As) {
  const path = withParams(row).replace(":id", as.id ?? "h00000000000000000000000");
  const query = row.example?.query ? `?${new URLSearchParams(row.example.query)}` : "";
  return h.send(row.method.toUpperCase(), path + query, {
    key: as.key,
    ...(row.body && { json: row.example?.body }),
    ...(row.rawBodyMaxBytes && { body: "x" }),
    ...(as.headers && { headers: as.headers }),
  });
}

describe.each(tenantRows)("%s", (_name, row) => {
  test("A1: refuses whoever has no valid key, alike, and without a database read for a made-up one", async () => {
    const expired = await issueKey(h.deps, {
      tenantId: h.tenantId,
      name: "old",
      scopes,
      expiresAtMs: h.clock.now() - 1,
    });
    const revoked = await issueKey(h.deps, { tenantId: h.tenantId, name: "gone", scopes });
    await revokeKey(h.deps, h.tenantId, revoked.id);
    // Signed by us, and known to nobody.
    const unknown = { key: await makeKey(await h.deps.keyring.secret(), h.deps.randomBytes) };
    const lastHex = h.key.endsWith("0") ? "1" : "0";
    const madeUp: As[] = [
      {},
      { key: "" },
      { key: "nonsense" },
      { key: h.key.slice(0, -1) },
      { key: h.key.slice(0, -1) + lastHex },
      { key: h.key.toUpperCase() },
      { key: `e2b_${"0".repeat(40)}` },
      { key: "x".repeat(10_000) },
      { headers: { authorization: `Basic ${btoa(`user:${h.key}`)}` } },
      { headers: { authorization: `Bearer ${h.key}, Bearer ${h.key}` } },
      { headers: { authorization: `Bearer ${h.key}`, "x-api-key": revoked.key } },
      { headers: { "x-api-key": `${h.key}, ${h.key}` } },
      { headers: { cookie: `key=${h.key}` } },
    ];
    h.database.takeCount();
    const bodies = new Set<string>();
    for (const as of madeUp) bodies.add(await refusal(await call(row, as)));
    expect(h.database.takeCount()).toBe(0);
    for (const { key } of [expired, revoked, unknown]) bodies.add(await refusal(await call(row, { key })));
    expect(bodies.size).toBe(1);
  });

  test("refuses a key without its scope before it looks at anything else", async () => {
    const others = scopes.filter((scope) => scope !== row.scope);
    const { key } = await issueKey(h.deps, { tenantId: h.tenantId, name: "narrow", scopes: others });
    const response = await call(row, { key });
    expect(response.status).toBe(403);
    expect(await problemOf(response)).toMatchObject({ code: "forbidden", facts: { scope: row.scope } });
  });
});

async function refusal(response: Response): Promise<string> {
  expect(response.status).toBe(401);
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  expect(response.headers.get("www-authenticate")).toContain("Bearer");
  const { requestId, ...rest } = await problemOf(response);
  expect(requestId).toBe(response.headers.get("x-request-id"));
  return JSON.stringify(rest);
}

describe.each(onSandbox)("%s on an id", (_name, row) => {
  test("A3: answers for another tenant's sandbox what it answers for none", async () => {
    const mine = await h.create();
    const other = await h.tenant(`other-${_name}`);
    await expectAlike(row, other.key, [mine.id, newSandboxId(h.host.code)]);
    expect(await h.read(mine.id)).toMatchObject({ state: "running", metadata: {}, lifetimeSeconds: 900 });
  });
});

describe.each(onRun)("%s on an id", (_name, row) => {
  test("A3: answers for another tenant's run what it answers for none", async () => {
    const json = { command: "echo" };
    const begun = await h.send("POST", "/v1/runs?wait=10", { key: h.key, json });
    const mine = (await begun.json()) as Run;
    const other = await h.tenant(`other-${_name}`);
    await expectAlike(row, other.key, [mine.id, newRunId()]);
    const after = await h.send("GET", `/v1/runs/${mine.id}`, { key: h.key });
    expect(await after.json()).toEqual(mine);
  });
});

describe.each(onKey)("%s on an id", (_name, row) => {
  test("A3: answers for another tenant's key what it answers for none", async () => {
    const mine = await issueKey(h.deps, { tenantId: h.tenantId, name: "mine", scopes });
    const other = await h.tenant(`other-${_name}`);
    await expectAlike(row, other.key, [mine.id, newKeyId()]);
    expect((await h.send("GET", "/v1/sandboxes", { key: mine.key })).status).toBe(200);
  });
});

/** Two ids, neither of them this caller's, are answered alike. */
async function expectAlike(row: ApiRow, key: string, [foreignId, unknownId]: [string, string]) {
  const [foreign, unknown] = await Promise.all([
    call(row, { key, id: foreignId }),
    call(row, { key, id: unknownId }),
  ]);
  expect(foreign.status).toBe(404);
  const { requestId: _a, ...aboutForeign } = await problemOf(foreign);
  const { requestId: _b, ...aboutUnknown } = await problemOf(unknown);
  expect(aboutForeign).toEqual(aboutUnknown);
  expect([...foreign.headers.keys()]).toEqual([...unknown.headers.keys()]);
}

describe.each([...onSandbox, ...onRun, ...onKey])("%s on an id that is none", (_name, row) => {
  test("A4: a strange id is never more than not found", async () => {
    const ids = [
      "..%2f..%2fetc",
      "%2e%2e",
      "a%00b",
      "%ff",
      "h%D9%A0%D9%A1%D9%A2000000000000000000000",
      "H00000000000000000000000",
      "x".repeat(10_000),
      "__proto__",
      "constructor",
      "e0aaaaaaaaaaaaaaaaaaaaaa",
      "zzzzaaaaaaaaaaaaaaaaaaaa",
      "'%20OR%201=1--",
    ];
    for (const id of ids) {
      const response = await call(row, { key: h.key, id });
      expect([id, response.status]).toEqual([id, 404]);
      expect(await problemOf(response)).toMatchObject({ code: expect.stringMatching(/not_found$/) });
    }
  });
});

test("A2: a made-up key is refused as fast as one that is right up to its end", async () => {
  const wrongEnd = h.key.slice(0, -1) + (h.key.endsWith("0") ? "1" : "0");
  const wrongStart = `e2b_${h.key[4] === "0" ? "1" : "0"}${h.key.slice(5)}`;
  const times: Record<string, number[]> = { [wrongEnd]: [], [wrongStart]: [] };
  // Taken in turns, so that whatever slows the machine down slows both.
  for (let i = 0; i < 2_000; i++) {
    for (const key of [wrongEnd, wrongStart]) {
      const startMs = performance.now();
      await h.send("GET", "/v1/sandboxes", { key });
      times[key]?.push(performance.now() - startMs);
    }
  }
  const [end = 0, start = 0] = Object.values(times).map((each) => each.sort((a, b) => a - b)[1_000] ?? 0);
  expect(Math.abs(end - start)).toBeLessThan(0.2 * Math.max(end, start));
});

test("A33: no answer names a host, a generation or a stack", async () => {
  h.provider.failNext("exec", new Error("connect ECONNREFUSED 10.0.0.7:4000 at /opt/secret.ts"));
  const { id } = await h.create();
  const response = await h.send("POST", `/v1/sandboxes/${id}/exec`, {
    key: h.key,
    json: { command: "echo" },
  });
  const text = await response.text();
  expect(response.status).toBe(500);
  expect(text).not.toMatch(/ECONN|10\.0\.0\.7|secret|hst_|ten_|generation|\bat /);
  expect(JSON.stringify(h.events.at(-1))).toContain("ECONNREFUSED");
});

test("A33: keys, bodies and headers do not reach the log", async () => {
  h.events.length = 0;
  await h.create({ env: { TOKEN: "canary-in-env" }, metadata: { m: "canary-in-metadata" } });
  await h.send("GET", "/v1/sandboxes", { key: "canary-key" });
  const logged = JSON.stringify(h.events);
  expect(logged).not.toContain("canary");
  expect(logged).not.toContain(h.key);
});

test("a body that is not JSON does not reach the log either", async () => {
  h.events.length = 0;
  const broken = '{"env":{"TOKEN":canary-in-env}}';
  const headers = { "content-type": "application/json" };
  const response = await h.send("POST", "/v1/sandboxes", { key: h.key, body: broken, headers });
  expect((await problemOf(response)).code).toBe("invalid_json");
  expect(JSON.stringify(h.events)).not.toContain("canary");
});

test("a revoked key stops at once where it was revoked, and within the cache's time elsewhere", async () => {
  const { id, key } = await issueKey(h.deps, { tenantId: h.tenantId, name: "short", scopes });
  expect((await h.send("GET", "/v1/sandboxes", { key })).status).toBe(200);
  await h.database.client.execute({ sql: "UPDATE keys SET revoked_at_ms = 1 WHERE id = ?", args: [id] });
  h.clock.advance(5_001);
  expect((await h.send("GET", "/v1/sandboxes", { key })).status).toBe(401);
});
