import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ApiRow, api } from "#contract/api";
import { type Harness, harness } from "#test/support/harness";
import { expectProblem } from "#test/support/problem";
import { guardedRows, type Owned, ownedBy, pathOf } from "#test/support/rows";

let h: Harness;
let owned: Owned;
beforeAll(async () => {
  h = await harness({ maxSandboxes: 100 });
  owned = await ownedBy(h);
});
afterAll(() => h.close());

const rows: ApiRow[] = Object.values(api);
const methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "get", "GETT"];
const allowedAt = (path: string) =>
  rows.filter((row) => row.path === path).map((row) => row.method.toUpperCase());

/** Addresses that some reader between the caller and us might take for the one that is meant. */
const disguises: Record<string, (path: string) => string> = {
  "slashes doubled": (path) => path.replaceAll("/", "//"),
  "a slash at the end": (path) => `${path}/`,
  "a parameter of a segment": (path) => `${path};x=y`,
  "a parameter in the middle": (path) => path.replace("/v1", "/v1;a=b"),
  "mixed case": (path) => path.replace("/v1", "/V1"),
  "an encoded slash": (path) => path.replace("/v1/", "/v1%2f"),
  "an encoded letter, twice": (path) => path.replace("/v1", "/%2576%31"),
  "a step into nothing": (path) => `/x${path}`,
  "an extension": (path) => `${path}.json`,
  "a NUL at the end": (path) => `${path}%00`,
  "a backslash": (path) => path.replace("/v1/", "/v1%5c"),
};

/** Behind a port the path is the server's own, and these only make it another path there. */
const behindThePort = ["a slash at the end", "a parameter of a segment", "an extension", "a NUL at the end"];
const disguisesOf = (row: ApiRow) =>
  Object.entries(disguises).filter(([what]) => !row.isProxy || !behindThePort.includes(what));

describe.each(guardedRows)("A28: the address of %s", (_name, row) => {
  test.each(disguisesOf(row))("with %s is another address, and nobody's", async (_what, disguise) => {
    h.provider.calls.length = 0;
    const before = h.provider.held.size;
    const path = disguise(pathOf(row, owned));
    for (const key of [h.key, undefined]) {
      const response = await h.send(row.method.toUpperCase(), path, { key });
      expect([path, response.status]).toEqual([path, expect.toBeOneOf([401, 404])]);
      expect(response.headers.get("content-type")).toBe("application/problem+json");
    }
    expect([h.provider.calls, h.provider.held.size]).toEqual([[], before]);
  });

  test.skipIf(row.isProxy)("takes its own methods only, and says which", async () => {
    const allowed = allowedAt(row.path);
    const isGet = allowed.includes("GET");
    for (const method of methods.filter((each) => !allowed.includes(each.toUpperCase()))) {
      const response = await h.send(method, pathOf(row, owned), { key: h.key });
      await expectProblem(response, 405, "method_not_allowed");
      expect(response.headers.get("allow")).toBe(allowed.join(", "));
      expect(response.headers.get("access-control-allow-origin")).toBeNull();
    }
    const head = await h.send("HEAD", pathOf(row, owned), {});
    expect(head.status).toBe(isGet ? 401 : 405);
  });

  test("no header turns a method or an address into another one", async () => {
    const before = JSON.stringify([h.provider.held.size, await h.slotsUsed()]);
    const headers = {
      "x-http-method-override": "DELETE",
      "x-http-method": "DELETE",
      "x-method-override": "DELETE",
      "x-original-url": "/healthz",
      "x-rewrite-url": "/healthz",
      "x-forwarded-prefix": "/healthz",
      "x-forwarded-for": "127.0.0.1",
      "x-forwarded-host": "evil.example",
    };
    const plain = await h.send(row.method.toUpperCase(), pathOf(row, owned), { headers });
    await expectProblem(plain, 401, "unauthenticated");
    const get = await h.send("GET", `/v1/sandboxes/${owned.sandboxId}`, { key: h.key, headers });
    expect(await get.json()).toMatchObject({ id: owned.sandboxId, state: "running" });
    expect(JSON.stringify([h.provider.held.size, await h.slotsUsed()])).toBe(before);
  });
});

describe.each(guardedRows.filter(([, row]) => row.isProxy))("A28: %s", (_name, row) => {
  test.each(behindThePort)(
    "asks the same port for another path with %s, and does nothing else",
    async (what) => {
      h.provider.calls.length = 0;
      const response = await h.send("GET", disguises[what]?.(pathOf(row, owned)) ?? "", { key: h.key });
      await expectProblem(response, 502, "port_closed");
      expect(h.provider.calls).toEqual(["requestPort"]);
    },
  );

  test.each(methods)("passes %s on", async (method) => {
    await expectProblem(await h.send(method, pathOf(row, owned), { key: h.key }), 502, "port_closed");
  });
});

test.each([
  "/",
  "/v1",
  "/v2/sandboxes",
  "/v1/../v1/sandbox",
  "/internal/v1/heartbeat/",
  "/internal",
  "/.env",
  "/v1/runs/x/y/z",
])("A28: nothing is at %s", async (path) => {
  await expectProblem(await h.send("GET", path, { key: h.key }), 404, "not_found");
});
