import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ExecResult } from "#contract/exec";
import { limits } from "#contract/limits";
import { type CreateRun, Run, RunPage } from "#contract/run";
import { gate } from "#test/fakes/gate";
import { type Harness, harness } from "#test/support/harness";
import { expectProblem } from "#test/support/problem";
import { AppError } from "#worker/errors";

let h: Harness;
beforeEach(async () => {
  h = await harness({ maxSandboxes: 3 });
});
afterEach(() => h.close());

const python = (source: string): CreateRun => ({ code: { language: "python", source } });
const post = (json: unknown, query = "?wait=30", headers = {}) =>
  h.send("POST", `/v1/runs${query}`, { key: h.key, json, headers });
const call = (method: string, path: string, key = h.key) => h.send(method, `/v1/runs/${path}`, { key });
async function runOf(response: Response, status = 200): Promise<Run> {
  const text = await response.text();
  expect([response.status, text]).toEqual([status, expect.any(String)]);
  return Run.parse(JSON.parse(text));
}
const run = async (json: unknown) => runOf(await post(json));
const get = async (id: string) => runOf(await call("GET", id));
const killsOf = () => h.provider.calls.filter((verb) => verb === "kill").length;
const nothingHeld = async () => expect([h.provider.held.size, await h.slotsUsed()]).toEqual([0, 0]);
const result = (over: Partial<ExecResult>): ExecResult => ({
  exitCode: 0,
  stdout: "",
  stderr: "",
  truncated: { stdout: false, stderr: false },
  durationMs: 1,
  endReason: "exited",
  ...over,
});

test("a run answers with its result, and leaves no sandbox and no slot behind", async () => {
  const done = await run({ ...python("echo hello"), template: "python", metadata: { a: "b" } });
  expect(done).toMatchObject({
    state: "succeeded",
    template: "base",
    exitCode: 0,
    stdout: "hello\n",
    stderr: "",
    truncated: { stdout: false, stderr: false },
    endReason: "exited",
    cached: false,
    metadata: { a: "b" },
    usage: { cpu: 1, memoryMiB: 256 },
  });
  expect(Object.keys(done.timings)).toEqual(["queuedMs", "leaseMs", "filesMs", "execMs", "totalMs"]);
  expect(await get(done.id)).toEqual(done);
  await h.settled();
  await nothingHeld();
  expect(killsOf()).toBe(1);
  expect(await h.read(done.sandboxId ?? "")).toMatchObject({ state: "ended" });
});

test.each([
  ["python", "python3", "/home/user/main.py"],
  ["javascript", "node", "/home/user/main.js"],
  ["bash", "bash", "/home/user/main.sh"],
] as const)("%s goes in as a file, and no shell sees it", async (language, program, file) => {
  const source = "echo '; rm -rf / $(id) `id` \\";
  expect((await run({ code: { language, source } })).stdout).toBe(`${source.slice(5)}\n`);
  expect(h.provider.requests.at(-1)).toMatchObject({
    command: [program, file],
    cwd: "/home/user",
    killOrphans: true,
  });
});

test("files, stdin, env and a command of its own reach it", async () => {
  const files = [
    { path: "in/a.txt", content: "grüße" },
    { path: "/home/user/b.bin", contentBase64: btoa("bytes") },
  ];
  const command = ["cat", "/home/user/in/a.txt"];
  expect((await run({ command, files })).stdout).toBe("grüße");
  expect((await run({ command: ["cat", "/home/user/b.bin"], files })).stdout).toBe("bytes");
  expect((await run({ command: "cat", stdin: "from stdin" })).stdout).toBe("from stdin");
  expect((await run({ ...python("printenv NAME"), env: { NAME: "you" } })).stdout).toBe("you\n");
});

test("what was to be run is not kept, nor its environment", async () => {
  await run({ ...python("echo x canary-source"), env: { A: "canary-env" }, stdin: "canary-stdin" });
  const { rows } = await h.database.client.execute("SELECT * FROM runs");
  expect(JSON.stringify({ ...rows[0], stdout: "" })).not.toContain("canary");
  expect(JSON.stringify(h.events)).not.toContain("canary");
});

describe("how it ended", () => {
  test("by itself, with a code", async () => {
    expect(await run({ command: ["exit", "3"] })).toMatchObject({
      state: "failed",
      exitCode: 3,
      endReason: "exited",
    });
  });

  test("at its timeout", async () => {
    const late = await run({ command: ["sleep", "30"], timeoutMs: 200 });
    expect(late).toMatchObject({ state: "timed_out", endReason: "timeout", timeoutMs: 200 });
  });

  test("for want of memory", async () => {
    h.provider.answerNext(result({ exitCode: 137, endReason: "oom" }));
    expect(await run(python("x"))).toMatchObject({ state: "failed", exitCode: 137, endReason: "oom" });
  });

  test("without a program", async () => {
    const none = await run({ command: ["no-such-program"] });
    expect(none).toMatchObject({ state: "failed", error: { code: "command_not_found" } });
    expect(none).not.toHaveProperty("exitCode");
  });

  test("nobody knows how", async () => {
    h.provider.failNext("exec", new AppError("exec_lost", "No answer.", { isOutcomeUnknown: true }));
    expect(await run(python("echo"))).toMatchObject({
      state: "lost",
      endReason: "host_lost",
      error: { code: "exec_lost" },
    });
  });

  test.each([
    ["create", new AppError("no_capacity", "full"), "no_capacity"],
    ["writeFile", new AppError("no_space", "full"), "no_space"],
    ["writeFile", new Error("secret-path /etc/x"), "internal"],
    ["exec", new Error("secret-path /etc/x"), "internal"],
  ] as const)("%s failed with %s", async (verb, error, code) => {
    h.provider.failNext(verb, error);
    const failed = await run(python("echo"));
    expect(failed).toMatchObject({ state: "failed", error: { code } });
    expect(JSON.stringify(failed)).not.toContain("secret");
    await h.settled();
    await nothingHeld();
  });
});

test("output is kept up to its bound, cut after a whole character", async () => {
  const half = limits.runOutputMaxBytes / 2;
  h.provider.answerNext(result({ stdout: `a${"é".repeat(half)}`, stderr: "\0\u001b[31m" }));
  const cut = await run(python("x"));
  expect(cut.stdout).toBe(`a${"é".repeat(half - 1)}`);
  expect([cut.stderr, cut.truncated]).toEqual(["\0\u001b[31m", { stdout: true, stderr: false }]);
});

test("without a wait, or when it is over, the answer is 202 and the run goes on", async () => {
  const program = gate();
  h.provider.holdNext("exec", program.opened);
  const begun = await runOf(await post(python("echo later"), "?wait=0"), 202);
  expect(["queued", "leased", "running"]).toContain(begun.state);
  program.open();
  await h.settled();
  expect(await get(begun.id)).toMatchObject({ state: "succeeded", stdout: "later\n" });
});

test("a caller who goes away ends nothing", async () => {
  const program = gate();
  const gone = new AbortController();
  h.provider.holdNext("exec", program.opened);
  const headers = { authorization: `Bearer ${h.key}`, "content-type": "application/json" };
  const body = JSON.stringify(python("echo still there"));
  const answer = h.app.request("/v1/runs?wait=10", { method: "POST", headers, body, signal: gone.signal });
  await expect.poll(() => h.provider.calls).toContain("exec");
  gone.abort();
  program.open();
  const { id } = (await (await answer).json()) as Run;
  await h.settled();
  expect(await get(id)).toMatchObject({ state: "succeeded" });
});

describe("room", () => {
  test("20 runs at once with a limit of 3 begin exactly 3; the others are refused and leave nothing", async () => {
    const program = gate();
    for (let i = 0; i < 3; i++) h.provider.holdNext("exec", program.opened);
    const answers = await Promise.all(Array.from({ length: 20 }, () => post(python("echo"), "")));
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(3);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(17);
    const { items } = RunPage.parse(await (await h.send("GET", "/v1/runs", { key: h.key })).json());
    expect(items).toHaveLength(3);
    program.open();
    await h.settled();
    await nothingHeld();
  });

  test("sandboxes and runs share it", async () => {
    for (let i = 0; i < 3; i++) await h.create();
    await expectProblem(await post(python("echo")), 429, "quota_exceeded");
    expect(h.provider.calls.filter((verb) => verb === "create")).toHaveLength(3);
  });

  test("an unknown template, and no host at all, are refusals and no runs", async () => {
    await expectProblem(await post({ ...python("echo"), template: "cobol" }), 404, "template_not_found");
    h.clock.advance(60_000);
    await expectProblem(await post(python("echo")), 503, "no_capacity");
    expect((await h.database.client.execute("SELECT count(*) n FROM runs")).rows[0]?.n).toBe(0);
  });
});

test("lists have everything but the output, filter, and page", async () => {
  const a = await run({ ...python("echo 1"), metadata: { n: "1" } });
  h.clock.advance(1);
  const b = await run({ command: ["exit", "1"], metadata: { n: "2" } });
  const list = async (query: string) =>
    RunPage.parse(await (await h.send("GET", `/v1/runs${query}`, { key: h.key })).json());
  expect((await list("")).items.map(({ id }) => id)).toEqual([b.id, a.id]);
  expect((await list("?state=failed&template=node")).items.map(({ id }) => id)).toEqual([b.id]);
  expect((await list("?metadata.n=1")).items.map(({ id }) => id)).toEqual([a.id]);
  const { items, nextCursor } = await list("?limit=1");
  expect(items[0]).not.toHaveProperty("stdout");
  expect((await list(`?limit=1&cursor=${nextCursor}`)).items.map(({ id }) => id)).toEqual([a.id]);
  await expectProblem(
    await h.send("GET", `/v1/sandboxes?cursor=${nextCursor}`, { key: h.key }),
    400,
    "invalid_request",
  );
});

test("A14: one key sent 20 times at once is one run, and all get its result", async () => {
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => post(python("echo once"), "?wait=10", { "idempotency-key": "k" })),
  );
  const bodies = new Set(await Promise.all(answers.map((answer) => answer.text())));
  expect([bodies.size, new Set(answers.map(({ status }) => status))]).toEqual([1, new Set([200])]);
  expect(h.provider.calls.filter((verb) => verb === "exec")).toHaveLength(1);
  await expectProblem(
    await post(python("echo"), "", { "idempotency-key": "k" }),
    422,
    "idempotency_mismatch",
  );
  const sandbox = await h.send("POST", "/v1/sandboxes", {
    key: h.key,
    json: {},
    headers: { "idempotency-key": "k" },
  });
  expect(sandbox.status).toBe(201);
});
