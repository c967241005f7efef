import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { limits } from "#contract/limits";
import { expectProblem } from "../support/problem.ts";
import { type TestStack, testStack } from "../support/stack.ts";

let stack: TestStack;
let box: string;
beforeAll(async () => {
  stack = await testStack();
  ({ id: box } = await stack.api.create());
});
afterAll(() => stack?.dispose());

async function open(request: Parameters<typeof stack.api.openSession>[1] = {}) {
  const { id } = await stack.api.openSession(box, request);
  onTestFinished(() => stack.api.killProcess(box, id).catch(() => undefined));
  const run = (command: string, over = {}) => stack.api.inSession(box, id, command, over);
  const call = (command: string) =>
    stack.api.call("POST", `/v1/sandboxes/${box}/sessions/${id}/exec`, { command });
  return { id, run, call };
}

test("commands follow one another in one shell: folder, variables, functions and the last status stay", async () => {
  const { run } = await open({ cwd: "/tmp", env: { GIVEN: "from the start" } });
  expect(await run("pwd; echo $GIVEN")).toMatchObject({ stdout: "/tmp\nfrom the start\n", exitCode: 0 });
  await run("cd /etc; plain=1; export shared=2; greet() { echo hello $1; }; declare -A map=([a]=b)");
  const seen = await run('pwd; echo $plain; sh -c "echo $shared"; greet you; declare -p map');
  expect(seen.stdout).toBe('/etc\n1\n2\nhello you\ndeclare -A map=([a]="b" )\n');
  expect(await run("(exit 42)")).toMatchObject({ exitCode: 42, sessionState: "running" });
  expect((await run("echo $?")).stdout).toBe("42\n");
  expect((await run("echo $?")).stdout).toBe("0\n");
});

test("each command has its own code, output and errors, whatever is printed and however it ends", async () => {
  const { run } = await open();
  expect(await run("echo out; echo err >&2; false")).toMatchObject({
    exitCode: 1,
    stdout: "out\n",
    stderr: "err\n",
  });
  expect(await run("if then")).toMatchObject({ exitCode: 2, stdout: "", sessionState: "running" });
  expect(await run("no-such-program")).toMatchObject({ exitCode: 127, sessionState: "running" });
  expect(await run("sh -c 'kill -9 $$'")).toMatchObject({ exitCode: 137, sessionState: "running" });
  expect(await run("cat <<'EOF'\n'quoted' \\ \"double\" $HOME é\nEOF")).toMatchObject({
    stdout: "'quoted' \\ \"double\" $HOME é\n",
  });
  expect(await run("break; continue; return; echo on")).toMatchObject({ stdout: "on\n", exitCode: 0 });
  expect(await run("read line || echo no input")).toMatchObject({ stdout: "no input\n" });
  const bytes = await run("printf '\\377\\0x'", { outputEncoding: "base64" });
  expect(Buffer.from(bytes.stdout, "base64")).toEqual(Buffer.from([255, 0, 120]));
});

test("all of what a command printed is its own, up to the limit, and none of it is the next one's", async () => {
  const { run } = await open();
  for (let i = 0; i < 20; i++) {
    const printed = await run(`head -c 200000 /dev/zero | tr '\\0' ${i % 10}; echo end >&2`);
    expect([printed.stdout.length, new Set(printed.stdout).size, printed.stderr]).toEqual([
      200_000,
      1,
      "end\n",
    ]);
  }
  const cut = await run(`head -c ${limits.execOutputMaxBytes + 1} /dev/zero | tr '\\0' x`);
  expect([cut.stdout.length, cut.truncated]).toEqual([
    limits.execOutputMaxBytes,
    { stdout: true, stderr: false },
  ]);
  expect(await run("echo next", { maxOutputBytes: 2 })).toMatchObject({
    stdout: "ne",
    truncated: { stdout: true },
  });
});

test("background processes live on between commands, and what they print then is nobody's", async () => {
  const { run } = await open();
  const startedMs = performance.now();
  await run("(while :; do echo noise; sleep 0.05; done) & job=$!; disown");
  expect(performance.now() - startedMs).toBeLessThan(3_000);
  await sleep(300);
  expect((await run("kill $job && echo stopped")).stdout).toMatch(/stopped\n/);
  await sleep(100);
  expect((await run("echo quiet")).stdout).toBe("quiet\n");
  expect((await run("sleep 0.2 & wait $!; echo waited")).stdout).toBe("waited\n");
});

test("`exit` ends the session with its code, and so does what takes the shell's place", async () => {
  for (const [command, exitCode] of [
    ["exit 7", 7],
    ["exec sh -c 'exit 8'", 8],
    ["set -e; false", 1],
  ] as const) {
    const { id, run, call } = await open();
    expect(await run(command)).toMatchObject({ exitCode, endReason: "exited", sessionState: "ended" });
    await expectProblem(await call("echo"), 409, "process_ended");
    expect(await stack.api.process(box, id)).toMatchObject({ kind: "session", state: "ended", exitCode });
  }
});

test("a command that hangs ends with its timeout, and with it the session and all that it had started", async () => {
  const { run, call } = await open();
  await run("sleep 311 & disown");
  const late = await run("echo begun; sleep 312", { timeoutMs: 500 });
  expect(late).toMatchObject({
    exitCode: 137,
    stdout: "begun\n",
    endReason: "timeout",
    sessionState: "ended",
  });
  await expectProblem(await call("echo"), 409, "process_ended");
  expect((await stack.api.exec(box, "pgrep -f 'sleep 31[12]' || echo none")).stdout).toBe("none\n");
});

test("a shell that dies ends its command, which says by what", async () => {
  const { run, call } = await open();
  const dead = await run("echo last words; kill -9 $$");
  expect(dead).toMatchObject({ exitCode: 137, stdout: "last words\n", sessionState: "ended" });
  await expectProblem(await call("echo"), 409, "process_ended");
});

test("one command at a time: another one is session_busy, and other sessions are not held up", async () => {
  const [busy, free] = [await open(), await open()];
  const first = busy.run("sleep 1; echo first");
  await sleep(200);
  await expectProblem(await busy.call("echo second"), 409, "session_busy");
  expect((await free.run("echo free")).stdout).toBe("free\n");
  expect((await first).stdout).toBe("first\n");
  expect((await busy.run("echo second")).stdout).toBe("second\n");
});

test("a session is on the list, takes no input and has no events, and is gone once it was ended", async () => {
  const { id, run } = await open({ tag: "mine" });
  const path = `/v1/sandboxes/${box}`;
  const listed = (await stack.api.processes(box)).find((process) => process.id === id);
  expect(listed).toMatchObject({ kind: "session", command: "bash", tag: "mine", state: "running" });
  await expectProblem(
    await stack.api.call("POST", `${path}/processes/${id}/stdin`, "x"),
    409,
    "input_closed",
  );
  await expectProblem(
    await stack.api.call("GET", `${path}/processes/${id}/events`),
    404,
    "process_not_found",
  );
  expect((await run("sleep 313 & echo left")).stdout).toBe("left\n");
  expect((await stack.api.call("DELETE", `${path}/sessions/${id}`)).status).toBe(204);
  expect((await stack.api.exec(box, "pgrep -f 'sleep 31[3]' || echo none")).stdout).toBe("none\n");
  await expectProblem(
    await stack.api.call("POST", `${path}/sessions/nobody/exec`, { command: "x" }),
    404,
    "process_not_found",
  );
});

test("a command in memory trouble is told from one that failed", async () => {
  const { run } = await open();
  const result = await run("python3 -c 'x = bytearray(10**9)'");
  expect(result).toMatchObject({ exitCode: 137, endReason: "oom", sessionState: "running" });
});
