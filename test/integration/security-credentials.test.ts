import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ApiRow } from "#contract/api";
import { newKeyId, newSandboxId, SandboxId } from "#contract/ids";
import { SandboxToken, tokenScopes } from "#contract/token";
import { type Harness, harness, problemOf } from "#test/support/harness";
import { everyIdIs, type Owned, operatorRows, ownedBy, pathOf, tenantRows } from "#test/support/rows";
import { issueKey } from "#worker/auth/issue-key";
import { revokeKey } from "#worker/auth/revoke-key";
import { makeToken } from "#worker/auth/sandbox-token";

let h: Harness;
let owned: Owned;
let token: string;
beforeAll(async () => {
  h = await harness({ maxSandboxes: 100 });
  owned = await ownedBy(h);
  token = await tokenFor(owned.sandboxId);
});
afterAll(() => h.close());

async function tokenFor(id: string, key = h.key): Promise<string> {
  const response = await h.send("POST", `/v1/sandboxes/${id}/tokens`, { key, json: {} });
  return SandboxToken.parse(await response.json()).token;
}

type As = { key?: string | undefined; headers?: Record<string, string>; of?: Owned };
/** The example of a row, sent as somebody. */
function call(row: ApiRow, { key, headers, of = owned }: As) {
  const query = row.example?.query ? `?${new URLSearchParams(row.example.query)}` : "";
  return h.send(row.method.toUpperCase(), pathOf(row, of) + query, {
    key,
    ...(row.body && { json: row.example?.body }),
    ...(row.rawBodyMaxBytes && { body: "x" }),
    ...(headers && { headers }),
  });
}

/** What is answered, but for the request's own id. */
async function answerOf(response: Response): Promise<string> {
  const { requestId, ...problem } = await problemOf(response);
  expect(requestId).toBe(response.headers.get("x-request-id"));
  return JSON.stringify([response.status, [...response.headers.keys()], problem]);
}

describe.each(operatorRows)("A30: %s", (_name, row) => {
  test("is nobody's but the operator's: every other key is like none, and costs no database read", async () => {
    const { adminKey } = h;
    const others: As[] = [
      {},
      { key: h.key },
      { key: token },
      { key: "nonsense" },
      { key: adminKey.slice(0, -1) },
      { key: `${adminKey}x` },
      { key: adminKey.toUpperCase() },
      { headers: { "x-api-key": adminKey } },
      { headers: { authorization: `Basic ${btoa(`admin:${adminKey}`)}` } },
      { headers: { authorization: `Bearer ${adminKey}, Bearer ${adminKey}` } },
      { headers: { cookie: `key=${adminKey}` } },
    ];
    h.database.takeCount();
    const answers = new Set<string>();
    for (const as of others) answers.add(await answerOf(await call(row, as)));
    expect(h.database.takeCount()).toBe(0);
    expect([...answers]).toEqual([expect.stringMatching(/^\[401,.*"unauthenticated"/)]);
  });
});

describe.each(tenantRows)("%s", (_name, row) => {
  test("A30: takes the admin key for no tenant's", async () => {
    h.database.takeCount();
    const answer = await answerOf(await call(row, { key: h.adminKey }));
    expect(answer).toBe(await answerOf(await call(row, {})));
    expect(h.database.takeCount()).toBe(0);
  });

  test("A30: is refused to a sandbox's token of every other sandbox, as if there were none", async () => {
    const { id: other } = await h.create();
    const isOnSandbox = row.path.startsWith("/v1/sandboxes/:id") && !row.isForKeysOnly;
    const answers = new Set<string>();
    for (const id of [other, newSandboxId(h.host.code)]) {
      answers.add(await answerOf(await call(row, { key: token, of: everyIdIs(id) })));
    }
    const [answer] = answers;
    expect(answers.size).toBe(1);
    expect(answer).toMatch(isOnSandbox ? /^\[404,.*"sandbox_not_found"/ : /^\[403,.*"forbidden"/);
    expect(await h.read(other)).toMatchObject({ state: "running" });
    await h.send("DELETE", `/v1/sandboxes/${other}`, { key: h.key });
  });

  test("refuses a token that is made up without a database read, and one that is over with its key", async () => {
    const claims = {
      sandboxId: SandboxId.parse(owned.sandboxId),
      tenantId: h.tenantId,
      keyId: h.id,
      scopes: [...tokenScopes],
      expiresAtMs: h.clock.now() + 60_000,
    };
    const secret = await h.deps.keyring.tokenSecret();
    const revoked = await issueKey(h.deps, { tenantId: h.tenantId, name: "gone", scopes: ["exec"] });
    await revokeKey(h.deps, h.tenantId, revoked.id);
    const none = await answerOf(await call(row, {}));
    const wrongEnd = token.slice(0, -1) + (token.endsWith("0") ? "1" : "0");
    const noSecret = await h.deps.keyring.secret();
    const madeUp = [
      wrongEnd,
      token.slice(0, -1),
      token.toUpperCase(),
      `sbt_${"0".repeat(100)}`,
      token.replace(owned.sandboxId, newSandboxId(h.host.code)),
      await makeToken(noSecret, claims),
      await makeToken(secret, { ...claims, expiresAtMs: h.clock.now() }),
      // An id must not pass for a key where it is known for a token's sake.
      h.id,
    ];
    h.database.takeCount();
    for (const key of madeUp) expect(await answerOf(await call(row, { key }))).toBe(none);
    expect(h.database.takeCount()).toBe(0);
    for (const keyId of [revoked.id, newKeyId()]) {
      const key = await makeToken(secret, { ...claims, keyId });
      expect(await answerOf(await call(row, { key }))).toBe(none);
    }
  });
});

describe("a tenant that is stopped", () => {
  test.each([
    ["suspended", "POST", "/suspend"],
    ["deleted", "DELETE", ""],
  ])(
    "is refused everywhere at once when it is %s, its keys and its tokens alike",
    async (what, method, verb) => {
      const other = await h.tenant(`stopped-${what}`);
      const { id } = await h.create({}, other.key);
      const itsToken = await tokenFor(id, other.key);
      // Both are in the cache by now.
      for (const key of [other.key, itsToken]) {
        expect((await h.send("GET", `/v1/sandboxes/${id}`, { key })).status).toBe(200);
      }
      await h.send(method, `/admin/v1/tenants/${other.tenantId}${verb}`, { key: h.adminKey });
      for (const [, row] of tenantRows) {
        const response = await call(row, { key: other.key });
        expect(await problemOf(response)).toMatchObject({
          code: "forbidden",
          detail: expect.stringContaining("suspended"),
        });
      }
      expect((await h.send("GET", `/v1/sandboxes/${id}`, { key: itsToken })).status).toBe(403);
    },
  );
});
