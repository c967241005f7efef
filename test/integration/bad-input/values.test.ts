import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod";
import { anyText, nearly } from "#test/support/arbitrary";
import { type Harness, harness, problemOf } from "#test/support/harness";
import { expectProblem } from "#test/support/problem";
import {
  everyIdIs,
  expectRefusal,
  guardedRows,
  jsonType,
  keyFor,
  type Owned,
  ownedBy,
  pathOf,
  sendExample,
} from "#test/support/rows";

let h: Harness;
let owned: Owned;
beforeAll(async () => {
  h = await harness({ maxSandboxes: 10_000 });
  owned = await ownedBy(h);
  h.provider.servers.set(8_000, () => new Response("a server's own answer"));
});
afterAll(() => h.close());

const create = (json: unknown) => h.send("POST", "/v1/sandboxes", { key: h.key, json });
const exec = (json: unknown) => h.send("POST", `/v1/sandboxes/${owned.sandboxId}/exec`, { key: h.key, json });
async function expectIssue(response: Response, name: string) {
  const problem = await expectProblem(response, 400, "invalid_request");
  expect(problem.issues?.[0]?.path.split(".")[0]).toBe(name);
}

const withBody = guardedRows.filter(([, row]) => row.body !== undefined);
describe.each(withBody)("%s, made up from its schema,", (_name, row) => {
  test("A4-A12, A35: no body is answered with 5xx, every refusal is a problem", async () => {
    // Of this row alone: others end what they are sent to.
    const own = await ownedBy(h);
    const body = nearly(row.body ?? z.never(), row.example?.body);
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(body, async (value) => {
        const sent = { key: keyFor(h, row), body: JSON.stringify(value), headers: jsonType };
        const response = await h.send(row.method.toUpperCase(), pathOf(row, own), sent);
        expect(response.status).toBeLessThan(500);
        if (response.status >= 400) await expectRefusal(response, row);
        else accepted++;
      }),
      { numRuns: 150, seed: 7 },
    );
    // Else it would have seen nothing but the first check.
    expect(accepted).toBeGreaterThan(0);
  });
});

/** A map in a query is sent as one parameter per entry. */
function pairsOf(query: unknown): [string, string][] {
  return Object.entries((query ?? {}) as object).flatMap(([name, value]): [string, string][] =>
    typeof value === "object" && value !== null
      ? Object.entries(value).map(([key, inner]) => [`${name}.${key}`, JSON.stringify(inner) ?? ""])
      : [[name, String(value)]],
  );
}

describe.each(guardedRows)("%s, made up from its schemas,", (_name, row) => {
  test("A31-A35: no query and no id is answered with 5xx, every refusal is a problem", async () => {
    const query = fc.oneof(
      row.query ? nearly(row.query) : fc.constant({}),
      fc.dictionary(anyText(), anyText(), { maxKeys: 3 }),
    );
    const id = fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: anyText(40) });
    await fc.assert(
      fc.asyncProperty(query, id, async (parameters, strange) => {
        const text = new URLSearchParams(pairsOf(parameters)).toString();
        // Lone surrogates have no bytes that could be sent.
        const target = strange?.isWellFormed()
          ? pathOf(row, everyIdIs(encodeURIComponent(strange)))
          : pathOf(row, { ...owned, sandboxId: row.method === "delete" ? "h" : owned.sandboxId });
        const response = await h.send(row.method.toUpperCase(), `${target}?${text}`, {
          key: keyFor(h, row),
          ...(row.body && { json: row.example?.body }),
        });
        expect(response.status).toBeLessThan(500);
        if (response.status >= 400) {
          expect(response.headers.get("content-type")).toBe("application/problem+json");
        }
      }),
      { numRuns: 100, seed: 8 },
    );
  });

  // What is passed on has parameters of its own.
  test.skipIf(row.isProxy)(
    "refuses a parameter nobody knows, one sent twice, and one that is not UTF-8",
    async () => {
      const queries = ["?nobody=1", "?path=a&path=b", "?limit=1&limit=1", "?path=%ff", "?__proto__=1", "?=1"];
      for (const query of queries) {
        const response = await sendExample(h, row, owned, query);
        expect([query, await expectRefusal(response, row)]).toEqual([query, "invalid_request"]);
      }
    },
  );
});

test.each([
  ["cpu", [0, -1, 0.24, 64.01, 1e308, "1", "NaN", 2 ** 53 + 1]],
  ["memoryMiB", [0, -1, 127, 2 ** 53 + 1, 128.5, 1e308, "256"]],
  ["pids", [0, -1, 31, 4097, 64.5, "64"]],
  ["diskMiB", [0, -1, 15, 102_401, 16.5, "64"]],
  ["lifetimeSeconds", [0, 9, 86_401, 1e308, "60", -1]],
  ["idleSeconds", [0, -5, 86_401, null]],
])("A7: create names %s when it is out of bounds", async (name, values) => {
  for (const value of values) await expectIssue(await create({ [name]: value }), name);
});

test("A7: a number that no number can hold is refused", async () => {
  const body = '{"lifetimeSeconds":1e309}';
  await expectIssue(
    await h.send("POST", "/v1/sandboxes", { key: h.key, body, headers: jsonType }),
    "lifetimeSeconds",
  );
});

test.each([0, -1, 1e308, 60_001, "1", 0.5])("A7: a command's timeout of %j is refused", async (timeoutMs) => {
  await expectIssue(await exec({ command: "echo", timeoutMs }), "timeoutMs");
});

test("A7: more cores than any host has are refused with the most there are", async () => {
  expect(await problemOf(await create({ cpu: 64 }))).toMatchObject({
    issues: [{ path: "cpu", message: "must be at most 4" }],
  });
});

const templates = [
  "Base",
  "a/b",
  "a:b",
  "a@sha256:0",
  "docker.io/x",
  "",
  "a;rm",
  "$(id)",
  "a b",
  "a".repeat(64),
];
test.each(templates)("A8: the template %j is refused", async (template) => {
  h.provider.calls.length = 0;
  await expectIssue(await create({ template }), "template");
  const run = { template, command: "echo" };
  await expectIssue(await h.send("POST", "/v1/runs", { key: h.key, json: run }), "template");
  expect(h.provider.calls).toEqual([]);
});

test("A8: a template that is not registered is its own refusal", async () => {
  await expectProblem(await create({ template: "nope" }), 404, "template_not_found");
});

test.each([
  ["a name with =", { "A=B": "1" }],
  ["a name with NUL", { "A\0": "1" }],
  ["a name with a line break", { "A\nB": "1" }],
  ["no name", { "": "1" }],
  ["a value with NUL", { A: "\0" }],
  ["a value of 1 MB", { A: "x".repeat(1_000_000) }],
  ["257 of them", Object.fromEntries(Array.from({ length: 257 }, (_, i) => [`A${i}`, ""]))],
  ["a value that is no text", { A: 1 }],
])("A9: variables with %s are refused, for a sandbox, a command and a run", async (_what, env) => {
  await expectIssue(await create({ env }), "env");
  await expectIssue(await exec({ command: "echo", env }), "env");
  await expectIssue(await h.send("POST", "/v1/runs", { key: h.key, json: { command: "echo", env } }), "env");
});

test("A9: a variable that linkers read is the tenant's own affair, and reaches its processes only", async () => {
  await exec({ command: ["printenv", "LD_PRELOAD"], env: { LD_PRELOAD: "/tmp/x.so" } });
  expect(h.provider.requests.at(-1)?.env).toEqual({ LD_PRELOAD: "/tmp/x.so" });
});

test("A10: an array reaches the host as it is, and no argument becomes another", async () => {
  const command = ["echo", "$(id)", "; rm -rf /", "`id`", "a  b", "", "-n", "\u001b[31m"];
  expect(await (await exec({ command })).json()).toMatchObject({ stdout: `${command.slice(1).join(" ")}\n` });
  expect(h.provider.requests.at(-1)?.command).toEqual(command);
});

test.each([
  ["no program", []],
  ["an empty program", [""]],
  ["NUL", ["echo", "\0"]],
  ["1,025 words", Array(1_025).fill("x")],
])("A10: a command with %s is refused", async (_what, command) => {
  await expectIssue(await exec({ command }), "command");
});

test.each(["", "relative", "../..", "/a/../b", "/a//b", "\0", `/${"x".repeat(4096)}`])(
  "A11: the working folder %j is refused before the host is asked",
  async (cwd) => {
    h.provider.calls.length = 0;
    await expectIssue(await exec({ command: "echo", cwd }), "cwd");
    expect(h.provider.calls).toEqual([]);
  },
);

test.each([
  "",
  "a//b",
  "../x",
  "a/../b",
  "/..",
  "dir/",
  "%00",
  "a%00b",
  "%ff",
  "%c0%af",
  "x".repeat(4097),
  "%ED%A0%80",
])("A12: the file path %j is refused before the host is asked", async (path) => {
  h.provider.calls.length = 0;
  for (const method of ["GET", "PUT"]) {
    const address = `/v1/sandboxes/${owned.sandboxId}/files?path=${path}`;
    const sent = method === "PUT" ? { key: h.key, body: "x" } : { key: h.key };
    expect((await problemOf(await h.send(method, address, sent))).code).toBe("invalid_request");
  }
  expect(h.provider.calls).toEqual([]);
});

const verbatim = [
  "'; DROP TABLE sandboxes;--",
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the tenant's text, not ours.
  "{{constructor}} ${x}",
  "\r\n\u001b[31m",
  '"\\',
  "a\0b",
  "%s%n",
  "\u202E",
];
test.each(verbatim)("A35: %j is kept as it is in every field of text", async (text) => {
  const made = await h.create({ metadata: { [text]: text } });
  expect((await h.read(made.id)).metadata).toEqual({ [text]: text });
  const path = `/v1/sandboxes/${owned.sandboxId}/files?path=${encodeURIComponent("verbatim.txt")}`;
  await h.send("PUT", path, { key: h.key, body: text });
  expect(await (await h.send("GET", path, { key: h.key })).text()).toBe(text);
  const run = { command: "cat", stdin: text, metadata: { [text]: text } };
  const done = await h.send("POST", "/v1/runs?wait=10", { key: h.key, json: run });
  expect(await done.json()).toMatchObject({ stdout: text, metadata: { [text]: text } });
});
