import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { limits } from "#contract/limits";
import { type Harness, harness, problemOf } from "#test/support/harness";
import {
  expectRefusal,
  guardedRows,
  jsonType,
  keyFor,
  type Owned,
  ownedBy,
  pathOf,
} from "#test/support/rows";

let h: Harness;
let owned: Owned;
beforeAll(async () => {
  h = await harness({ maxSandboxes: 100 });
  owned = await ownedBy(h);
});
afterAll(() => h.close());

const withBody = guardedRows.filter(([, row]) => row.body !== undefined);

/** Megabyte after megabyte, for ever: only a reader that counts gets away. */
function endless(): ReadableStream<Uint8Array> {
  return new ReadableStream({ pull: (c) => c.enqueue(new Uint8Array(2 ** 20)) });
}

describe.each(withBody)("%s", (_name, row) => {
  const send = (
    body: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>,
    headers: Record<string, string> = jsonType,
  ) => h.send(row.method.toUpperCase(), pathOf(row, owned), { key: keyFor(h, row), body, headers });
  const example = JSON.stringify(row.example?.body);

  test.each([
    ["nothing", "", "invalid_json"],
    ["half of a document", '{"a":', "invalid_json"],
    ["a byte order mark", "\uFEFF{}", "invalid_json"],
    ["an array", "[]", "invalid_request"],
    ["a null", "null", "invalid_request"],
    ["the name that is no data", '{"__proto__":{"template":"base"}}', "invalid_request"],
    ["depth 10,000", `${"[".repeat(10_000)}${"]".repeat(10_000)}`, "invalid_request"],
    ["a name twice", example.replace("{", '{"metadata":{},"metadata":{},'), "invalid_request"],
    ["a name twice, further in", example.replace("{", '{"env":{"A":"1","\\u0041":"2"},'), "invalid_request"],
  ])("A5: refuses %s", async (_what, body, code) => {
    expect(await expectRefusal(await send(body), row)).toBe(code);
  });

  test("A5: refuses more names than any schema takes without a look at them one by one", async () => {
    const names = Array.from({ length: limits.jsonNamesMax + 1 }, (_, i) => [`-${i}`, 1]);
    const response = await send(JSON.stringify({ env: Object.fromEntries(names) }));
    const { code, issues } = await problemOf(response);
    expect([code, issues?.map(({ path }) => path)]).toEqual(["invalid_request", [""]]);
  });

  test("A5: refuses bytes that are not UTF-8", async () => {
    expect(await expectRefusal(await send(new Uint8Array([0x22, 0xff, 0x22])), row)).toBe("invalid_json");
  });

  test.each([{}, { "content-type": "text/plain" }, { "content-type": "application/json; charset=utf-16" }])(
    "A5: refuses the content type %o",
    async (headers) => {
      expect(await expectRefusal(await send("{}", headers), row)).toBe("unsupported_media_type");
    },
  );

  test("A5: refuses a packed body instead of unpacking it", async () => {
    const bomb = new Uint8Array(gzipSync(Buffer.alloc(50 * 2 ** 20)));
    const response = await send(bomb, { ...jsonType, "content-encoding": "gzip" });
    expect(await expectRefusal(response, row)).toBe("unsupported_media_type");
  });

  test("A5: refuses a body that is too large, declared, undeclared or lied about", async () => {
    const tooMuch = new Uint8Array(limits.jsonBodyMaxBytes + 1);
    const declared = { ...jsonType, "content-length": String(50 * 2 ** 20) };
    expect(await expectRefusal(await send("{}", declared), row)).toBe("payload_too_large");
    expect(await expectRefusal(await send(endless()), row)).toBe("payload_too_large");
    const lied = await send(tooMuch, { ...jsonType, "content-length": "2" });
    expect(await expectRefusal(lied, row)).toBe("payload_too_large");
  });

  test.each(["tenantId", "privileged", "image", "hostConfig", "generation", "user.", "sandboxId", "state"])(
    "A6: refuses the property %s, which is nobody's to set",
    async (name) => {
      h.provider.calls.length = 0;
      const body = JSON.stringify({ ...(row.example?.body as object), [name]: true });
      expect(await expectRefusal(await send(body), row)).toBe("invalid_request");
      expect(h.provider.calls).toEqual([]);
    },
  );

  test("A13: gives up a body that does not go on arriving", async () => {
    vi.useFakeTimers();
    try {
      const answer = send(new ReadableStream({ start: (c) => c.enqueue(new TextEncoder().encode("{")) }));
      await vi.advanceTimersByTimeAsync(limits.bodyDeadlineMs);
      expect(await expectRefusal(await answer, row)).toBe("request_timeout");
    } finally {
      vi.useRealTimers();
    }
  });
});

test("A5: names that are written in another way, or look like the end of a string, are read as they are", async () => {
  const body = '{"metadata":{"a\\\\":"\\":{\\"","b:":":","\\u0063":"{}"},"env":{}}';
  const response = await h.send("POST", "/v1/sandboxes", { key: h.key, body, headers: jsonType });
  expect([response.status, await response.json()]).toMatchObject([
    201,
    { metadata: { "a\\": '":{"', "b:": ":", c: "{}" } },
  ]);
});

test("A13: an upload past the limit is refused when declared, and its connection closed", async () => {
  const response = await h.send("PUT", `/v1/sandboxes/${owned.sandboxId}/files?path=big`, {
    key: h.key,
    body: "x",
    headers: { "content-length": String(limits.fileMaxBytes + 1) },
  });
  expect(response.status).toBe(413);
  // The rest of the body is never read: a client that reuses the connection would lose its next request.
  expect(response.headers.get("connection")).toBe("close");
});
