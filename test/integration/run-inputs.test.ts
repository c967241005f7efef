import { afterAll, beforeAll, expect, test } from "vitest";
import { limits } from "#contract/limits";
import type { CreateRun } from "#contract/run";
import { type Harness, harness } from "#test/support/harness";
import { expectProblem } from "#test/support/problem";

let h: Harness;
beforeAll(async () => {
  h = await harness();
});
afterAll(() => h.close());

const python = (source: string): CreateRun => ({ code: { language: "python", source } });
const post = (json: unknown, query = "") => h.send("POST", `/v1/runs${query}`, { key: h.key, json });

test.each(["61", "-1", "1.5", "x", "", "1e1", "99999"])(
  "the wait %j is refused, with what would do",
  async (wait) => {
    const problem = await expectProblem(await post(python("echo"), `?wait=${wait}`), 400, "invalid_request");
    expect(problem.issues).toEqual([
      { path: "wait", message: "must be a whole number of seconds from 0 to 60" },
    ]);
  },
);

test.each([
  ["neither code nor command", {}, ""],
  ["both", { ...python("x"), command: "x" }, ""],
  ["a language nobody speaks", { code: { language: "cobol", source: "x" } }, "code.language"],
  ["no source", python(""), "code.source"],
  ["a source past its bound", python("x".repeat(limits.runSourceMaxBytes + 1)), "code.source"],
  ["a source that is no text", python("\uD800"), "code.source"],
  [
    "a file twice",
    {
      command: "x",
      files: [
        { path: "a", content: "" },
        { path: "/home/user/a", content: "" },
      ],
    },
    "files",
  ],
  ["a file in place of the code", { ...python("x"), files: [{ path: "main.py", content: "" }] }, "files"],
  ["a file without content", { command: "x", files: [{ path: "a" }] }, "files.0"],
  [
    "a file with two contents",
    { command: "x", files: [{ path: "a", content: "", contentBase64: "" }] },
    "files.0",
  ],
  [
    "base64 that is none",
    { command: "x", files: [{ path: "a", contentBase64: "*" }] },
    "files.0.contentBase64",
  ],
  ["a file outside", { command: "x", files: [{ path: "../a", content: "" }] }, "files.0.path"],
  [
    "files past their bound",
    { command: "x", files: [1, 2].map((n) => ({ path: `${n}`, content: "x".repeat(300_000) })) },
    "files",
  ],
  [
    "too many files",
    { command: "x", files: Array.from({ length: 65 }, (_, n) => ({ path: `${n}`, content: "" })) },
    "files",
  ],
  ["a timeout past its bound", { command: "x", timeoutMs: 60_001 }, "timeoutMs"],
])("%s is refused", async (_what, json, path) => {
  const problem = await expectProblem(await post(json), 400, "invalid_request");
  expect(problem.issues?.[0]?.path).toBe(path);
  expect(h.provider.calls).toEqual([]);
});
