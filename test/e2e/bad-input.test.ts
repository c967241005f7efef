import { availableParallelism } from "node:os";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ErrorCode } from "#contract/errors";
import { limits } from "#contract/limits";
import { expectBooksToAgree } from "../support/books.ts";
import { expectProblem } from "../support/problem.ts";
import { type RawRequest, sendRaw } from "../support/raw.ts";
import { type TestStack, testStack } from "../support/stack.ts";

let stack: TestStack;
let id = "";
beforeAll(async () => {
  stack = await testStack();
  id = (await stack.api.create()).id;
});
afterAll(() => stack?.dispose());

const tooLarge = "x".repeat(limits.jsonBodyMaxBytes);
const json = { "content-type": "application/json" };
const create = (body: string, headers: Record<string, string> = json): RawRequest => {
  return { method: "POST", path: "/v1/sandboxes", headers, body };
};
const exec = (body: unknown): RawRequest => {
  return { method: "POST", path: `/v1/sandboxes/${id}/exec`, headers: json, body: JSON.stringify(body) };
};

type Case = [what: string, status: number, code: ErrorCode, request: () => RawRequest];
const ofBodies: Case[] = [
  ["an unknown template", 404, "template_not_found", () => create('{"template":"cobol"}')],
  ["a template with a registry and a tag", 400, "invalid_request", () => create('{"template":"r.io/a:b"}')],
  ["a template with shell characters", 400, "invalid_request", () => create('{"template":"base;rm -rf /"}')],
  ["no body", 400, "invalid_json", () => create("")],
  ["half a body", 400, "invalid_json", () => create('{"template":')],
  ["a list", 400, "invalid_request", () => create("[]")],
  ["nothing but null", 400, "invalid_request", () => create("null")],
  ["a number as text", 400, "invalid_request", () => create('{"cpu":"1"}')],
  ["a text as number", 400, "invalid_request", () => create('{"template":7}')],
  ["a prototype", 400, "invalid_request", () => create('{"__proto__":{"cpu":1}}')],
  ["a million brackets", 400, "invalid_json", () => create("[".repeat(1_000_000))],
  ["a deep nest", 400, "invalid_request", () => create("[".repeat(10_000) + "]".repeat(10_000))],
  ["a body of another type", 415, "unsupported_media_type", () => create("{}", {})],
  [
    "a packed body",
    415,
    "unsupported_media_type",
    () => create("{}", { ...json, "content-encoding": "gzip" }),
  ],
  ["a body past its bound", 413, "payload_too_large", () => create(`{"template":"${tooLarge}"}`)],
  [
    "an endless body past its bound",
    413,
    "payload_too_large",
    () => create(tooLarge + tooLarge, { ...json, "transfer-encoding": "chunked" }),
  ],
  [
    "an upload that declares more than a file may have",
    413,
    "payload_too_large",
    () => ({
      method: "PUT",
      path: `/v1/sandboxes/${id}/files?path=big`,
      headers: { "content-length": String(limits.fileMaxBytes + 1) },
    }),
  ],
  ["an empty command", 400, "invalid_request", () => exec({ command: "" })],
  ["a command of no words", 400, "invalid_request", () => exec({ command: [] })],
  ["a command with NUL", 400, "invalid_request", () => exec({ command: "echo \0" })],
  [
    "A11: a working folder in /proc",
    422,
    "cwd_not_found",
    () => exec({ command: "true", cwd: "/proc/self/fd" }),
  ],
  ["a relative working folder", 400, "invalid_request", () => exec({ command: "true", cwd: "../.." })],
  [
    "a name of a variable with =",
    400,
    "invalid_request",
    () => exec({ command: "true", env: { "A=B": "" } }),
  ],
  ["a program that is not there", 422, "command_not_found", () => exec({ command: ["no-such-program"] })],
  ["another user", 400, "invalid_request", () => exec({ command: "true", user: "root" })],
];
const unknownProperties = ["tenantId", "privileged", "image", "hostConfig", "generation", "user"];
const absurdLimits = [
  { lifetimeSeconds: 0 },
  { lifetimeSeconds: -1 },
  { lifetimeSeconds: 10.5 },
  { lifetimeSeconds: 1e308 },
  { idleSeconds: 2 ** 53 + 2 },
  { cpu: 0 },
  { cpu: 65 },
  { memoryMiB: 1 },
  { memoryMiB: 2 ** 20 + 1 },
  { pids: 1 },
  { pids: 4097 },
  { diskMiB: 1 },
  { diskMiB: 2 ** 20 },
];

describe("a body that cannot be served is refused for what it is:", () => {
  test.each(ofBodies)("%s: %d %s", async (_what, status, code, request) => {
    await expectProblem(await sendRaw(stack.api, request()), status, code);
  });

  test.each(unknownProperties)("the property %s, which is not a caller's to set", async (name) => {
    const response = await sendRaw(stack.api, create(JSON.stringify({ template: "base", [name]: true })));
    const problem = await expectProblem(response, 400, "invalid_request");
    expect(problem.issues).toEqual([{ path: "", message: "has properties that are not known" }]);
  });

  test.each(absurdLimits)("a limit that is none: %j", async (limit) => {
    const problem = await expectProblem(
      await sendRaw(stack.api, create(JSON.stringify(limit))),
      400,
      "invalid_request",
    );
    expect([...new Set(problem.issues?.map(({ path }) => path))]).toEqual(Object.keys(limit));
  });

  test("a number that no number can hold", async () => {
    await expectProblem(
      await sendRaw(stack.api, create('{"lifetimeSeconds":1e309}')),
      400,
      "invalid_request",
    );
  });
});

describe("more than this machine has is refused before anything is made:", () => {
  test.skipIf(availableParallelism() >= 64)("64 cores, with the most that can be had", async () => {
    const problem = await expectProblem(
      await sendRaw(stack.api, create('{"cpu":64}')),
      400,
      "invalid_request",
    );
    expect(problem.issues).toEqual([{ path: "cpu", message: `must be at most ${availableParallelism()}` }]);
  });

  test("a tebibyte of memory", async () => {
    await expectProblem(await sendRaw(stack.api, create('{"memoryMiB":1048576}')), 400, "invalid_request");
  });
});

const strangeIds = {
  "a path upwards": "../../../../etc/passwd",
  "a path upwards, escaped": "..%2f..%2f..%2fetc%2fpasswd",
  "a path upwards, escaped twice": "%252e%252e%252f",
  NUL: "%00",
  "an id with NUL after it": "h00000000000000000000000%00",
  "upper case": "H".repeat(24),
  "digits of another script": encodeURIComponent("٣".repeat(24)),
  "bytes that are no text": "%ff%fe",
  "a word of JavaScript": "__proto__",
  "ten kilobytes": "a".repeat(10_240),
  "an id that nobody has": "h".repeat(24),
};
describe("an id that nobody has is 404, whatever it is made of:", () => {
  test.each(Object.entries(strangeIds))("%s", async (_what, strange) => {
    const paths = [strange, `${strange}/exec`, `${strange}/files?path=x`].map(
      (rest) => `/v1/sandboxes/${rest}`,
    );
    const [one = "", its = "", files = ""] = paths;
    const requests: RawRequest[] = [
      { method: "GET", path: one },
      { method: "PATCH", path: one, headers: json, body: '{"lifetimeSeconds":60}' },
      { method: "DELETE", path: one },
      { method: "POST", path: its, headers: json, body: '{"command":"true"}' },
      { method: "GET", path: files },
      { method: "PUT", path: files, body: "x" },
    ];
    for (const request of requests) {
      const response = await sendRaw(stack.api, request);
      const isOutside = strange.startsWith("../");
      await expectProblem(response, 404, isOutside ? "not_found" : "sandbox_not_found");
    }
  });
});

const strangePaths: [what: string, path: string, code?: ErrorCode][] = [
  ["none", ""],
  ["one upwards", "../../etc/passwd"],
  ["one with an empty step", "a//b"],
  ["a folder", "folder/"],
  ["one with NUL", "%00"],
  ["one that is no text", "%ff"],
  ["one longer than the kernel takes", "a".repeat(limits.pathMaxBytes + 1)],
  ["one below /proc", "/proc/version", "path_refused"],
];
describe("a path that no file can have is refused:", () => {
  test.each(strangePaths)("%s", async (_what, path, code = "invalid_request") => {
    const address = `/v1/sandboxes/${id}/files?path=${path}`;
    await expectProblem(await sendRaw(stack.api, { method: "GET", path: address }), 400, code);
    await expectProblem(await sendRaw(stack.api, { method: "PUT", path: address, body: "x" }), 400, code);
  });
});

test("after all of this the first sandbox works, and nothing was made or reserved besides it", async () => {
  expect(await stack.api.exec(id, "echo still here")).toMatchObject({ exitCode: 0, stdout: "still here\n" });
  await expectBooksToAgree(stack, [id]);
});
