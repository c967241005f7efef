import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ApiName, type ApiRow, api, genericErrors } from "#contract/api";
import { errorTable } from "#contract/errors";
import { limits } from "#contract/limits";
import { type Harness, harness, problemOf } from "#test/support/harness";

let h: Harness;
let id: string;
beforeAll(async () => {
  h = await harness({ maxSandboxes: 5 });
  id = (await h.create()).id;
});
afterAll(() => h.close());

const rows = (Object.entries(api) as [ApiName, ApiRow][]).filter(([, row]) => row.scope !== null);
const withBody = rows.filter(([, row]) => row.body !== undefined);
const pathOf = (row: ApiRow) => row.path.replace(":id", id);
const json = { "content-type": "application/json" };

/** Every refusal is a problem with a code that the row, or the list for all rows, names. */
async function expectRefusal(response: Response, row: ApiRow): Promise<string> {
  const problem = await problemOf(response);
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  expect([...row.errors, ...genericErrors]).toContain(problem.code);
  expect(response.status).toBe(errorTable[problem.code].status);
  expect(problem.requestId).toMatch(/^req_[a-z0-9]{20}$/);
  expect(problem).not.toHaveProperty("stack");
  return problem.code;
}

describe.each(withBody)("%s", (_name, row) => {
  const send = (
    body: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>,
    headers: Record<string, string> = json,
  ) => h.send(row.method.toUpperCase(), pathOf(row), { key: h.key, body, headers });

  test.each([
    ["nothing", "", "invalid_json"],
    ["half of a document", '{"a":', "invalid_json"],
    ["a byte order mark", "\uFEFF{}", "invalid_json"],
    ["an array", "[]", "invalid_request"],
    ["a null", "null", "invalid_request"],
    ["a property nobody knows", '{"privileged":true,"tenantId":"ten_x","generation":9}', "invalid_request"],
    ["the name that is no data", '{"__proto__":{"template":"base"}}', "invalid_request"],
    ["depth 10,000", `${"[".repeat(10_000)}${"]".repeat(10_000)}`, "invalid_request"],
  ])("refuses %s", async (_what, body, code) => {
    expect(await expectRefusal(await send(body), row)).toBe(code);
  });

  test("refuses more names than any schema takes without a look at them one by one", async () => {
    const names = Array.from({ length: limits.jsonNamesMax + 1 }, (_, i) => [`-${i}`, 1]);
    const response = await send(JSON.stringify({ env: Object.fromEntries(names) }));
    const { code, issues } = await problemOf(response);
    expect([code, issues?.map(({ path }) => path)]).toEqual(["invalid_request", [""]]);
  });

  test("refuses bytes that are not UTF-8", async () => {
    expect(await expectRefusal(await send(new Uint8Array([0x22, 0xff, 0x22])), row)).toBe("invalid_json");
  });

  test.each([{}, { "content-type": "text/plain" }, { "content-type": "application/json; charset=utf-16" }])(
    "refuses the content type %o",
    async (headers) => {
      expect(await expectRefusal(await send("{}", headers), row)).toBe("unsupported_media_type");
    },
  );

  test("refuses a packed body instead of unpacking it", async () => {
    const response = await send("{}", { ...json, "content-encoding": "gzip" });
    expect(await expectRefusal(response, row)).toBe("unsupported_media_type");
  });

  test("refuses a body that is too large, declared, undeclared or lied about", async () => {
    const tooMuch = new Uint8Array(limits.jsonBodyMaxBytes + 1);
    const declared = { ...json, "content-length": String(2 ** 40) };
    expect(await expectRefusal(await send("{}", declared), row)).toBe("payload_too_large");
    expect(await expectRefusal(await send(endless()), row)).toBe("payload_too_large");
    const lied = await send(tooMuch, { ...json, "content-length": "2" });
    expect(await expectRefusal(lied, row)).toBe("payload_too_large");
  });

  test("never answers 5xx to JSON of any shape", async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(mutated(row.example?.body), fc.jsonValue()), async (body) => {
        const response = await send(JSON.stringify(body));
        expect(response.status).toBeLessThan(500);
        if (response.status >= 400) await expectRefusal(response, row);
      }),
      { numRuns: 60, seed: 7 },
    );
  });
});

/** Megabyte after megabyte, for ever: only a reader that counts gets away. */
function endless(): ReadableStream<Uint8Array> {
  return new ReadableStream({ pull: (c) => c.enqueue(new Uint8Array(2 ** 20)) });
}

/** The example of a row with some of its values replaced by absurd ones. */
function mutated(example: unknown): fc.Arbitrary<unknown> {
  const names = Object.keys((example ?? {}) as object);
  const absurd = fc.oneof(
    fc.constantFrom(
      0,
      -1,
      1e308,
      2 ** 53 + 1,
      0.1,
      "",
      "NaN",
      null,
      true,
      [],
      {},
      "a;rm -rf /",
      "../..",
      "\0",
      "\uD800",
    ),
    fc.string({ unit: "binary", maxLength: 50 }),
    fc.dictionary(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), { maxKeys: 3 }),
  );
  const extra = fc.constantFrom(
    "cpu",
    "memoryMiB",
    "env",
    "metadata",
    "timeoutMs",
    "cwd",
    "stdin",
    "network",
  );
  return fc
    .dictionary(fc.oneof(fc.constantFrom("command", ...names), extra), absurd, { minKeys: 1, maxKeys: 3 })
    .map((over) => ({ ...(example as object), ...over }));
}

describe.each(rows)("%s with a query", (_name, row) => {
  test("refuses a parameter nobody knows, one sent twice, and one that is not UTF-8", async () => {
    for (const query of [
      "?nobody=1",
      "?path=a&path=b",
      "?limit=1&limit=1",
      "?path=%ff",
      "?__proto__=1",
      "?=1",
    ]) {
      const response = await h.send(row.method.toUpperCase(), pathOf(row) + query, {
        key: h.key,
        ...(row.body && { json: row.example?.body }),
      });
      expect([query, await expectRefusal(response, row)]).toEqual([query, "invalid_request"]);
    }
  });
});

test.each([
  ["cpu", [0, -1, 0.24, 64.01, 1e308, "1"]],
  ["memoryMiB", [0, -1, 127, 2 ** 53 + 1, 128.5]],
  ["lifetimeSeconds", [0, 9, 86_401, 1e308, "60"]],
  ["idleSeconds", [0, -5, 86_401]],
  ["template", ["Base", "a/b", "a:b", "a@sha256:0", "docker.io/x", "", "a;rm", `${"a".repeat(64)}`]],
  ["env", [{ "A=B": "1" }, { "A\0": "1" }, { "A\n": "1" }, { A: "\0" }, { A: "x".repeat(40_000) }]],
  ["metadata", [{ "": "x" }, { a: "x".repeat(513) }, { a: 1 }]],
  ["network", ["host", "public"]],
])("create names %s when it cannot be used", async (name, values) => {
  for (const value of values) {
    const response = await h.send("POST", "/v1/sandboxes", { key: h.key, json: { [name]: value } });
    const problem = await problemOf(response);
    expect([value, problem.code]).toEqual([value, "invalid_request"]);
    expect(problem.issues?.[0]?.path.split(".")[0]).toBe(name);
  }
});

test("more cores than any host has are refused with the most there are", async () => {
  const response = await h.send("POST", "/v1/sandboxes", { key: h.key, json: { cpu: 64 } });
  expect(await problemOf(response)).toMatchObject({
    issues: [{ path: "cpu", message: "must be at most 4" }],
  });
});

test("an unknown template is its own refusal", async () => {
  const response = await h.send("POST", "/v1/sandboxes", { key: h.key, json: { template: "nope" } });
  expect([response.status, (await problemOf(response)).code]).toEqual([404, "template_not_found"]);
});

test.each(["", "a//b", "../x", "a/../b", "dir/", "%00", "x".repeat(4097)])(
  "the file path %j is refused before the host is asked",
  async (path) => {
    h.provider.calls.length = 0;
    const response = await h.send("GET", `/v1/sandboxes/${id}/files?path=${path}`, { key: h.key });
    expect((await problemOf(response)).code).toBe("invalid_request");
    expect(h.provider.calls).toEqual([]);
  },
);

test("an upload past the limit is refused when declared", async () => {
  const response = await h.send("PUT", `/v1/sandboxes/${id}/files?path=big`, {
    key: h.key,
    body: "x",
    headers: { "content-length": String(limits.fileMaxBytes + 1) },
  });
  expect(response.status).toBe(413);
  // The rest of the body is never read: a client that reuses the connection would lose its next request.
  expect(response.headers.get("connection")).toBe("close");
});

test.each(["x", "e30", "AAAA", "%20", btoa("1.short"), btoa(`1e3.${"a".repeat(24)}`), "a".repeat(256), "Ā"])(
  "the cursor %j is refused",
  async (cursor) => {
    const response = await h.send("GET", `/v1/sandboxes?cursor=${cursor}`, { key: h.key });
    expect(await problemOf(response)).toMatchObject({
      code: "invalid_request",
      issues: [{ path: "cursor" }],
    });
  },
);

test("another tenant's cursor shows nothing of that tenant", async () => {
  const other = await h.tenant("cursor");
  await h.create();
  const page = await (await h.send("GET", "/v1/sandboxes?limit=1", { key: h.key })).json();
  const cursor = (page as { nextCursor: string }).nextCursor;
  const seen = await h.send("GET", `/v1/sandboxes?cursor=${cursor}`, { key: other.key });
  expect(await seen.json()).toEqual({ items: [] });
});

test("unknown addresses are 404, known ones with another method 405 with Allow", async () => {
  for (const path of [
    "/",
    "/v1",
    "/v1/sandboxes/",
    "/V1/sandboxes",
    "//v1//sandboxes",
    "/v1/sandboxes;x",
    "/v2/sandboxes",
  ]) {
    const response = await h.send("GET", path, { key: h.key });
    expect([path, response.status, (await problemOf(response)).code]).toEqual([path, 404, "not_found"]);
  }
  for (const method of ["PUT", "DELETE", "OPTIONS", "PATCH"]) {
    const response = await h.send(method, "/v1/sandboxes", {
      key: h.key,
      headers: { "x-http-method-override": "GET" },
    });
    expect([method, response.status, response.headers.get("allow")]).toEqual([method, 405, "POST, GET"]);
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
  }
});

test("what looks like SQL or markup is kept as it is", async () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the tenant's text, not ours.
  const metadata = { "'; DROP TABLE sandboxes;--": "{{constructor}} ${x} \r\n\u001b[31m" };
  const made = await h.create({ metadata });
  expect((await h.read(made.id)).metadata).toEqual(metadata);
});
