import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { scopes } from "#contract/api";
import type { LimitOverrides } from "#contract/plan";
import { type RateClass, rateClasses } from "#contract/rate";
import { testConfig } from "#test/support/config";
import { type Harness, harness, problemOf } from "#test/support/harness";
import { expectProblem } from "#test/support/problem";
import { everyIdIs, guardedRows, pathOf } from "#test/support/rows";
import { createApp } from "#worker/app";
import { issueKey } from "#worker/auth/issue-key";
import { revokeKey } from "#worker/auth/revoke-key";
import { plans as planRows } from "#worker/db/schema";
import type { Recorder } from "#worker/metrics/recorder";

let h: Harness;
let names = 0;
beforeAll(async () => {
  h = await harness({ maxSandboxes: 100 });
});
afterAll(() => h.close());

const tenantWith = (limits: LimitOverrides) => h.tenant(`limited-${names++}`, scopes, limits);
const list = (key: string, headers: Record<string, string> = {}) =>
  h.send("GET", "/v1/sandboxes", { key, headers });
const create = (key: string) => h.send("POST", "/v1/sandboxes", { key, json: {} });
const execNowhere = (key: string) =>
  h.send("POST", "/v1/sandboxes/h00000000000000000000000/exec", { key, json: { command: "echo" } });
const createBatch = (key: string, count: number) =>
  h.send("POST", "/v1/sandboxes/batch", { key, json: { count } });
/** Lets time pass in which the host is heard. */
async function wait(ms: number): Promise<void> {
  h.clock.advance(ms - 1);
  await h.heartbeat();
}
/** How many of `count` requests pass before the first that does not. */
async function passing(ask: () => Promise<Response>, count = 50): Promise<number> {
  for (let i = 0; i < count; i++) if ((await ask()).status === 429) return i;
  return count;
}

const drawing = guardedRows.filter(([, row]) => row.tokens > 0);

test("every call of a tenant draws on a bucket, and none of an operator", () => {
  const others = guardedRows.filter(([, row]) => row.scope !== "operator");
  expect(drawing.map(([name]) => name)).toEqual(others.map(([name]) => name));
});

describe.each(drawing)("%s", (_name, row) => {
  test("over the limit is 429 that says when to come back, before the scope and the body are looked at", async () => {
    const { tenantId } = await tenantWith({ requestsPerSecond: 0.4, burst: 1 });
    const { key } = await issueKey(h.deps, { tenantId, name: "narrow", scopes: [] });
    const path = pathOf(row, everyIdIs("none"));
    const send = () =>
      h.send(row.method.toUpperCase(), path, { key, ...(row.method !== "get" && { body: "{" }) });
    // The scope is missing; that it is asked for is what the first token buys.
    expect((await send()).status).toBe(403);
    const refused = await send();
    const policy = row.rateClass ?? "control";
    expect([
      ...["retry-after", "ratelimit-policy", "ratelimit"].map((name) => refused.headers.get(name)),
    ]).toEqual(["3", `"${policy}";q=1;w=3`, `"${policy}";r=0;t=3`]);
    expect(await expectProblem(refused, 429, "rate_limited")).toMatchObject({
      retryable: true,
      facts: { class: policy, limit: 1, remaining: 0, retryAfterMs: 2_500 },
    });
    h.clock.advance(2_499);
    expect((await send()).status).toBe(429);
    h.clock.advance(1);
    expect((await send()).status).toBe(403);
  });
});

test("an answer that drew on a bucket says what is left of it, and open rows say nothing", async () => {
  const { key } = await tenantWith({ requestsPerSecond: 5, burst: 10 });
  const first = await list(key);
  expect(first.headers.get("ratelimit-policy")).toBe('"control";q=10;w=2');
  expect(first.headers.get("ratelimit")).toBe('"control";r=9;t=1');
  const open = await h.send("GET", "/healthz");
  expect(open.headers.has("ratelimit")).toBe(false);
});

test("a rate for all calls that a tenant is given holds for each class, unless the class has its own", async () => {
  const all = await tenantWith({ requestsPerSecond: 1, burst: 4 });
  const asks: Record<RateClass, (key: string) => Promise<Response>> = {
    control: list,
    data: execNowhere,
    create,
  };
  for (const each of rateClasses) expect([each, await passing(() => asks[each](all.key))]).toEqual([each, 4]);
  const some = await tenantWith({ requestsPerSecond: 1, burst: 4, dataBurst: 7, createBurst: 2 });
  const passed = [];
  for (const each of rateClasses) passed.push(await passing(() => asks[each](some.key)));
  expect(passed).toEqual([4, 7, 2]);
});

test("without overrides the plan's rates hold", async () => {
  const { tenantId, key } = await tenantWith({});
  await h.database.client.execute({ sql: "UPDATE tenants SET plan = 'free' WHERE id = ?", args: [tenantId] });
  expect(await passing(() => list(key), 60)).toBe(40);
  expect(await passing(() => create(key), 60)).toBe(25);
});

test("a key's own rate holds for all its calls together, inside its tenant's, and refusals cost neither", async () => {
  const { tenantId, key } = await tenantWith({ requestsPerSecond: 1, burst: 6 });
  const narrow = await issueKey(h.deps, { tenantId, name: "narrow", scopes });
  const sql = "UPDATE keys SET rate = ? WHERE id = ?";
  const rate = JSON.stringify({ requestsPerSecond: 0.1, burst: 3 });
  await h.database.client.execute({ sql, args: [rate, narrow.id] });
  expect((await list(narrow.key)).headers.get("ratelimit")).toBe('"key";r=2;t=10');
  await execNowhere(narrow.key);
  expect(await passing(() => list(narrow.key))).toBe(1);
  expect(await problemOf(await list(narrow.key))).toMatchObject({
    facts: { limit: 3, retryAfterMs: 10_000 },
  });
  // Two of the six went by the key; its refusals took none.
  expect(await passing(() => list(key))).toBe(4);
});

test("a batch costs as many tokens as it asks for sandboxes, and one that is refused can be sent when it says", async () => {
  await h.heartbeat();
  const { key } = await tenantWith({ createsPerSecond: 1, createBurst: 10, concurrentSandboxes: 100 });
  expect((await createBatch(key, 8)).headers.get("ratelimit")).toBe('"create";r=2;t=8');
  const refused = await createBatch(key, 5);
  expect(await problemOf(refused)).toMatchObject({ code: "rate_limited", facts: { retryAfterMs: 4_000 } });
  await wait(4_000);
  expect((await createBatch(key, 5)).status).toBe(201);
});

test("a batch larger than the whole bucket passes when the bucket is full", async () => {
  await h.heartbeat();
  const { key } = await tenantWith({ createsPerSecond: 1, createBurst: 4, concurrentSandboxes: 100 });
  expect((await createBatch(key, 20)).status).toBe(201);
  expect((await create(key)).status).toBe(429);
  await wait(4_000);
  expect((await createBatch(key, 20)).status).toBe(201);
});

test("by host name, a sandbox takes so many visits without a key; who shows one draws on its tenant's data", async () => {
  await h.heartbeat();
  const { key } = await tenantWith({ requestsPerSecond: 1, burst: 3 });
  const [one, other] = [await h.create({ publicPorts: true }, key), await h.create({}, key)];
  h.provider.servers.set(8_000, () => new Response("hello"));
  const visit = async (id: string, headers: Record<string, string> = {}) =>
    h.app.request(`http://8000-${id}.${testConfig.sandboxDomain}/`, { headers });
  expect(await passing(() => visit(one.id), 2_100)).toBe(2_000);
  const refused = await visit(one.id);
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "1"]);
  expect((await visit(other.id)).status).not.toBe(429);
  expect(await passing(() => visit(one.id, { authorization: `Bearer ${key}` }))).toBe(3);
  h.clock.advance(1);
  expect((await visit(one.id)).status).toBe(200);
});

test("A19: whatever address a request claims to come from, the key alone says whose it is", async () => {
  const [mine, theirs] = [
    await tenantWith({ burst: 3, requestsPerSecond: 1 }),
    await tenantWith({ burst: 3 }),
  ];
  const claims = ["x-forwarded-for", "cf-connecting-ip", "true-client-ip", "x-real-ip", "forwarded"];
  let at = 0;
  const spoofed = () =>
    list(mine.key, Object.fromEntries(claims.map((name) => [name, `198.51.100.${at++ % 250}`])));
  expect(await passing(spoofed)).toBe(3);
  // From the very address that was just refused.
  expect((await list(theirs.key, { "x-forwarded-for": "198.51.100.1" })).status).toBe(200);
});

test("a refusal costs no read of the database, and a flood with a revoked key one in five seconds", async () => {
  const { tenantId, key } = await tenantWith({ requestsPerSecond: 1, burst: 1 });
  const revoked = await issueKey(h.deps, { tenantId, name: "gone", scopes });
  await revokeKey(h.deps, tenantId, revoked.id);
  await list(key);
  await h.settled();
  h.database.takeCount();
  for (let i = 0; i < 100; i++) expect((await list(key)).status).toBe(429);
  expect(h.database.takeCount()).toBe(0);
  for (let i = 0; i < 500; i++) expect((await list(revoked.key)).status).toBe(401);
  expect(h.database.takeCount()).toBe(1);
});

test("the page on limits has the rates of the plans as they come", async () => {
  const page = readFileSync(new URL("../../docs/limits.md", import.meta.url), "utf8");
  const plans = await h.deps.db.select().from(planRows);
  expect(plans.length).toBeGreaterThan(2);
  const pair = (...counts: number[]) => counts.map((count) => count.toLocaleString("en")).join(", ");
  for (const { name, definition } of plans) {
    const { limits } = definition;
    const cells = [
      `\`${name}\``,
      pair(limits.requestsPerSecond, limits.burst),
      pair(limits.dataRequestsPerSecond, limits.dataBurst),
      pair(limits.createsPerSecond, limits.createBurst),
      pair(limits.openStreams),
    ];
    expect(page).toContain(`| ${cells.join(" | ")} |`);
  }
});

test("what is refused is counted by its class", async () => {
  const counted: string[] = [];
  const recorder: Recorder = {
    request: () => undefined,
    refused: (of) => void counted.push(of),
    text: async () => "",
  };
  const app = createApp({ ...h.deps, recorder });
  const { key } = await tenantWith({ requestsPerSecond: 1, burst: 1 });
  const ask = () => app.request("/v1/sandboxes", { headers: { "x-api-key": key } });
  await ask();
  await ask();
  expect(counted).toEqual(["control"]);
});
