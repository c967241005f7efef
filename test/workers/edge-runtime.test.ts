import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Miniflare } from "miniflare";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { unstable_getMiniflareWorkerOptions } from "wrangler";
import { testConfig } from "#test/support/config";
import { makeKey } from "#worker/auth/key-format";
import { importHmacKey } from "#worker/crypto";
import type { LimiterObject } from "#worker/ratelimit/edge";
import { bundleWorker, wranglerConfig } from "../../scripts/edge/bundle.ts";

/** A database that answers every statement with no rows, or does not answer at all. */
let isSilent = false;
let database: Server;
let contents: string;
let worker: Miniflare;
const events: Record<string, unknown>[] = [];

const noRows = { cols: [], rows: [], affected_row_count: 0, last_insert_rowid: null };
const noRowsAnswer = JSON.stringify({
  baton: null,
  base_url: null,
  results: [
    { type: "ok", response: { type: "execute", result: noRows } },
    { type: "ok", response: { type: "close" } },
  ],
});

beforeAll(async () => {
  database = createServer((_request, response) => {
    if (!isSilent) response.setHeader("content-type", "application/json").end(noRowsAnswer);
  });
  await new Promise<void>((resolve) => database.listen(0, "127.0.0.1", resolve));
  const bundle = await bundleWorker();
  contents = readFileSync(bundle.scriptPath, "utf8");
  await bundle.dispose();
  worker = await run(bindings());
}, 60_000);
beforeEach(() => {
  isSilent = false;
  events.length = 0;
});
afterAll(async () => {
  await worker?.dispose();
  database?.closeAllConnections();
  database?.close();
});

// An address of a TCP server, never a pipe's.
const databaseUrl = () => `http://127.0.0.1:${(database.address() as AddressInfo).port}`;
const bindings = () => ({
  SANDGATE_DATABASE_URL: databaseUrl(),
  SANDGATE_DATABASE_TOKEN: "a token that must not be logged",
  SANDGATE_KEY_SECRET: testConfig.keySecret,
  SANDGATE_HOST_SECRET: testConfig.hostSecret,
});

async function run(given: Record<string, string>, script = contents): Promise<Miniflare> {
  const { workerOptions } = unstable_getMiniflareWorkerOptions(wranglerConfig);
  const miniflare = new Miniflare({
    ...workerOptions,
    modules: [{ type: "ESModule", path: "index.js", contents: script }],
    bindings: given,
    cf: false,
    structuredWorkerdLogs: true,
    handleStructuredLogs: ({ message }: { message: string }) => void events.push(JSON.parse(message)),
  });
  await miniflare.ready;
  return miniflare;
}

async function aKey(): Promise<string> {
  return makeKey(await importHmacKey(testConfig.keySecret), (length) =>
    crypto.getRandomValues(new Uint8Array(length)),
  );
}
async function list(init: { signal?: AbortSignal } = {}): Promise<Response> {
  const url = new URL("/v1/sandboxes", await worker.ready);
  return fetch(url, { headers: { "x-api-key": await aKey() }, ...init });
}

test("the edge serves what needs no database: its health, its documents and its refusals", async () => {
  for (const path of ["/healthz", "/openapi.json", "/docs"]) {
    expect((await worker.dispatchFetch(`http://edge.test${path}`)).status).toBe(200);
  }
  const refused = await worker.dispatchFetch("http://edge.test/v1/sandboxes", {
    headers: { "x-api-key": `e2b_${"0".repeat(40)}` },
  });
  expect(refused.status).toBe(401);
  const logged = () => events.map(({ event, service, route }) => [event, service, route]);
  const routes = ["healthz", "openapi", "docs", "listSandboxes"];
  await expect.poll(logged).toEqual(routes.map((route) => ["request", "control-plane", route]));
});

test("calls that are cut off while the database is silent keep nothing from those that come after", async () => {
  isSilent = true;
  // More than the database library's own queue lets through at once.
  const cutOff = Array.from({ length: 30 }, () =>
    list({ signal: AbortSignal.timeout(300) }).catch(() => undefined),
  );
  expect(await Promise.all(cutOff)).toEqual(cutOff.map(() => undefined));
  isSilent = false;
  const startedMs = performance.now();
  expect((await list()).status).toBe(401);
  expect(performance.now() - startedMs).toBeLessThan(2_000);
});

test("the cron trigger sweeps", async () => {
  const { scheduled } = await worker.getWorker();
  expect((await scheduled({ cron: "* * * * *" })).outcome).toBe("ok");
  expect(events.filter(({ level }) => level === "error")).toEqual([]);
});

test("without its settings the edge says that it has none, and only its log says which", async () => {
  const { SANDGATE_KEY_SECRET: _, ...rest } = bindings();
  const bare = await run(rest);
  const response = await bare.dispatchFetch("http://edge.test/healthz");
  expect([response.status, response.headers.get("content-type")]).toEqual([503, "application/problem+json"]);
  const text = await response.text();
  expect(text).not.toContain("SANDGATE_");
  expect(JSON.stringify(events)).toContain("SANDGATE_KEY_SECRET");
  expect(JSON.stringify(events)).not.toContain("must not be logged");
  await bare.dispose();
});

test("there is no Node to be found at run time either, so hashing is WebCrypto's", async () => {
  const looks = "Response.json(globalThis.process?.getBuiltinModule?.('node:crypto') === undefined)";
  const probe = await run({}, `export class Limiter {}; export default { fetch: () => ${looks} }`);
  expect(await (await probe.dispatchFetch("http://edge.test/")).json()).toBe(true);
  await probe.dispose();
});

test("the limiter grants what there is, by its own name in the bundle", async () => {
  const limiters = await worker.getDurableObjectNamespace("LIMITER");
  // Methods of a stub are the object's own, which its type does not know.
  const limiter = limiters.get(limiters.idFromName("tenant")) as unknown as LimiterObject;
  const wanted = [{ name: "control", rate: { capacity: 2, perSecond: 0.01 } }];
  const wish = { least: 1, most: 1, paid: 0, returned: 0 };
  const grants = [];
  for (let i = 0; i < 3; i++) grants.push((await limiter.take(wanted, wish)).isAllowed);
  expect(grants).toEqual([true, true, false]);
});
