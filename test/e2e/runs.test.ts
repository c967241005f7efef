import { afterAll, beforeAll, expect, test } from "vitest";
import { type CreateRun, Run } from "#contract/run";
import { expectBooksToAgree } from "../support/books.ts";
import { type TestStack, testStack } from "../support/stack.ts";

let stack: TestStack;
beforeAll(async () => {
  stack = await testStack();
});
afterAll(() => stack?.dispose());

async function run(body: CreateRun, wait = 30): Promise<Run> {
  const response = await stack.api.call("POST", `/v1/runs?wait=${wait}`, body);
  return Run.parse(await response.json());
}

// Home is another name for /workspace.
test.each([
  ["python", "import sys, os\nprint(6 * 7, os.getcwd(), open('in.txt').read(), sys.stdin.read())"],
  [
    "javascript",
    "const fs = require('fs');\nconsole.log(6 * 7, process.cwd(), fs.readFileSync('in.txt', 'utf8'), fs.readFileSync(0, 'utf8'))",
  ],
  ["bash", "echo $((6 * 7)) $PWD $(cat in.txt) $(cat)"],
] as const)("%s runs with its file and its input", async (language, source) => {
  const files = [{ path: "in.txt", content: "file" }];
  const done = await run({ code: { language, source }, files, stdin: "input" });
  expect(done).toMatchObject({
    state: "succeeded",
    exitCode: 0,
    stdout: "42 /workspace file input\n",
    stderr: "",
  });
});

test("an error of its own, a timeout and a want of memory are told apart", async () => {
  const failed = await run({ code: { language: "python", source: "raise SystemExit('no')" } });
  expect(failed).toMatchObject({ state: "failed", exitCode: 1, stderr: "no\n", endReason: "exited" });
  const late = await run({ command: "sleep 30 & sleep 30", timeoutMs: 300 });
  expect(late).toMatchObject({ state: "timed_out", endReason: "timeout" });
  const greedy = await run({ code: { language: "python", source: "x = 'x' * 10**9" }, memoryMiB: 128 });
  expect(greedy.state).toBe("failed");
});

test("a cancel ends what runs, and all runs together leave nothing behind", async () => {
  const begun = await run({ command: "sleep 50" }, 0);
  await expect
    .poll(async () => Run.parse(await (await stack.api.call("GET", `/v1/runs/${begun.id}`)).json()).state)
    .toBe("running");
  const canceled = await stack.api.call("POST", `/v1/runs/${begun.id}/cancel`);
  expect(await canceled.json()).toMatchObject({ state: "canceled", endReason: "canceled" });
  await expectBooksToAgree(stack, []);
});
