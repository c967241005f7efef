import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { newExecId } from "#contract/ids";
import { bytesOf, collect } from "../support/events.ts";
import { expectProblem } from "../support/problem.ts";
import { type TestStack, testStack } from "../support/stack.ts";

let stack: TestStack;
let id: string;
beforeAll(async () => {
  stack = await testStack();
  ({ id } = await stack.api.create());
});
afterAll(() => stack?.dispose());

const otherBox = async () => {
  const box = await stack.api.create();
  onTestFinished(() => stack.api.delete(box.id).catch(() => undefined));
  return box.id;
};
const residentBytes = (pid: number) => {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
};

test("output comes as it is printed, numbered by its bytes, and the exit is the last event", async () => {
  const command = "echo one; sleep 0.3; echo two >&2; sleep 0.3; printf three; exit 4";
  const { response, execId, events } = await stack.api.stream(id, { command });
  expect(execId).toMatch(/^exe_[a-z0-9]{20}$/);
  expect(Object.fromEntries(response.headers)).toMatchObject({
    "content-type": "text/event-stream",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "content-security-policy": "sandbox",
  });
  const arrivals: number[] = [];
  const timed = (async function* () {
    for await (const event of events) {
      arrivals.push(performance.now());
      yield event;
    }
  })();
  const { events: all, last } = await collect(timed);
  expect(all.map(({ id: seq, event }) => `${seq} ${event}`)).toEqual([
    "4 stdout",
    "8 stderr",
    "13 stdout",
    "14 exit",
  ]);
  expect(JSON.parse(all[0]?.data ?? "")).toEqual({ seq: 4, data: "one\n", encoding: "utf8" });
  expect(last.json).toMatchObject({
    exitCode: 4,
    endReason: "exited",
    truncated: { stdout: false, stderr: false },
  });
  expect(last.json).not.toHaveProperty("stdout");
  expect((arrivals[1] ?? 0) - (arrivals[0] ?? 0)).toBeGreaterThan(200);
});

test("bytes that are not UTF-8 survive, by themselves or as base64 throughout", async () => {
  const hex = "6772c3bcc39f6520f09f8c8d0aff00fe0a656e6420e282";
  const command = ["python3", "-c", `import os; os.write(1, bytes.fromhex("${hex}"))`];
  const expected = Buffer.from(hex, "hex");
  const mixed = await collect((await stack.api.stream(id, { command })).events);
  expect(mixed.stdout.equals(expected)).toBe(true);
  const base64 = await collect((await stack.api.stream(id, { command, outputEncoding: "base64" })).events);
  expect(base64.stdout.equals(expected)).toBe(true);
  const utf8 = await collect((await stack.api.stream(id, { command, outputEncoding: "utf8" })).events);
  expect(utf8.stdout.toString()).toBe(expected.toString());
});

test("a lost connection is taken up after the last event that was read", async () => {
  const command = "for i in $(seq 1 20); do echo $i; sleep 0.05; done";
  const { execId, events, disconnect } = await stack.api.stream(id, { command });
  const seen: string[] = [];
  let lastId = "0";
  for await (const event of events) {
    seen.push(bytesOf(event.data).toString());
    lastId = event.id;
    if (seen.length === 5) break;
  }
  disconnect();
  await sleep(300);
  const { stdout, last } = await collect((await stack.api.follow(id, execId, Number(lastId))).events);
  const numbers = (seen.join("") + stdout.toString()).trim().split("\n").map(Number);
  expect(numbers).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
  expect(last).toMatchObject({ event: "exit", json: { exitCode: 0 } });
  // Once more, from the start, and past the end.
  const again = await collect((await stack.api.follow(id, execId)).events);
  expect(again.stdout.toString().trim().split("\n")).toHaveLength(20);
  const past = await collect((await stack.api.follow(id, execId, 1_000_000)).events);
  expect(past.events.map(({ event }) => event)).toEqual(["exit"]);
});

test("what was dropped while nobody read is told as a gap", async () => {
  const command = "echo first; sleep 0.3; head -c 3000000 /dev/zero | tr '\\0' 'x'; echo; echo last";
  const { execId, events, disconnect } = await stack.api.stream(id, { command });
  const first = await events.next();
  disconnect();
  await sleep(1_500);
  const {
    events: rest,
    stdout,
    last,
  } = await collect((await stack.api.follow(id, execId, Number(first.value?.id))).events);
  expect(rest[0]?.event).toBe("gap");
  const gap = JSON.parse(rest[0]?.data ?? "{}");
  expect(gap.fromSeq).toBe("first\n".length + 1);
  expect(rest[0]?.id).toBe(String(gap.toSeq));
  expect(rest[1]?.id).toBe(String(gap.toSeq + bytesOf(rest[1]?.data ?? "").length));
  expect(gap.toSeq + stdout.length).toBe(6 + 3_000_000 + 1 + 5);
  expect(stdout.toString().endsWith("x\nlast\n")).toBe(true);
  expect(last.event).toBe("exit");
});

test("ids of nobody, of others, and junk are refused", async () => {
  const { execId, events } = await stack.api.stream(id, { command: "echo hi" });
  await collect(events);
  const get = (path: string, headers: Record<string, string> = {}) =>
    fetch(`${stack.api.url}/v1/sandboxes/${path}`, {
      headers: { authorization: `Bearer ${stack.api.key}`, ...headers },
    });
  await expectProblem(await get(`${id}/exec/${newExecId()}`), 404, "exec_not_found");
  await expectProblem(await get(`${id}/exec/nonsense`), 404, "exec_not_found");
  await expectProblem(await get(`${await otherBox()}/exec/${execId}`), 404, "exec_not_found");
  for (const junk of ["x", "-1", "1.5", "1e3", "9".repeat(16), "", " "]) {
    const answer = await get(`${id}/exec/${execId}`, { "last-event-id": junk });
    await expectProblem(answer, 400, "invalid_request");
  }
  await expectProblem(await get(`${id}/exec/${execId}?after=x`), 400, "invalid_request");
  expect((await get(`${id}/exec/${execId}?after=1`)).status).toBe(200);
});

test("a command that does not start is refused, with no stream", async () => {
  const refused = await stack.api.call("POST", `/v1/sandboxes/${id}/exec`, { command: ["no-such"] });
  await expectProblem(refused, 422, "command_not_found");
  await expect(stack.api.stream(id, { command: ["no-such"] })).rejects.toThrow(/422.*command_not_found/);
  const root = { command: "id", user: "root" } as never;
  await expect(stack.api.stream(id, root)).rejects.toThrow(/400.*invalid_request/);
});

test("a result is waited for at most a minute, and the refusal points to the stream", async () => {
  const long = { command: "echo hi", timeoutMs: 60_001 };
  const problem = await expectProblem(
    await stack.api.call("POST", `/v1/sandboxes/${id}/exec`, long),
    400,
    "invalid_request",
  );
  expect(problem.detail).toContain("text/event-stream");
  const { last } = await collect((await stack.api.stream(id, long)).events);
  expect(last.event).toBe("exit");
});

test("a stream keeps to its own timeout, and to the size that was asked for", async () => {
  const timed = await collect((await stack.api.stream(id, { command: "sleep 50", timeoutMs: 300 })).events);
  expect(timed.last).toMatchObject({ event: "exit", json: { endReason: "timeout" } });
  const cut = { command: "yes | head -c 1000000; echo err >&2", maxOutputBytes: 1000 };
  const { stdout, stderr, last } = await collect((await stack.api.stream(id, cut)).events);
  expect([stdout.length, stderr.toString()]).toEqual([1000, "err\n"]);
  expect(last.json).toMatchObject({ exitCode: 0, truncated: { stdout: true, stderr: false } });
});

test("F21: a reader who stops blocks the program, and no process of ours grows", async () => {
  const box = await otherBox();
  const printing = `
import os
for i in range(10**9):
    os.write(1, b"a" * 65535 + b"\\n")
    open("/tmp/progress", "w").write(str(i))`;
  const progress = async () => Number((await stack.api.exec(box, "cat /tmp/progress")).stdout);
  const rss = () => residentBytes(stack.agentHost.pid) + residentBytes(stack.controlPlane.pid);
  const hostBefore = residentBytes(stack.agentHost.pid);
  const { events, disconnect } = await stack.api.stream(box, { command: ["python3", "-c", printing] });
  await events.next();
  await sleep(1_500);
  expect(residentBytes(stack.agentHost.pid) - hostBefore).toBeLessThan(50 * 1024 * 1024);
  const [before, stopped] = [rss(), await progress()];
  await sleep(1_500);
  expect(await progress()).toBe(stopped);
  expect(rss() - before).toBeLessThan(16 * 1024 * 1024);
  for (let read = 0; read < 500; read++) await events.next();
  expect(await progress()).toBeGreaterThan(stopped + 100);
  disconnect();
});

test("F20: a command goes on without its reader, unless it was to end with them", async () => {
  const count = (box: string) => stack.api.exec(box, "pgrep -c sleep || true");
  const box = await otherBox();
  const kept = await stack.api.stream(box, { command: "echo up; sleep 30" });
  await kept.events.next();
  kept.disconnect();
  const tied = await stack.api.stream(
    box,
    { command: "echo up; setsid sleep 40 & sleep 40" },
    "?cancelOnDisconnect=true",
  );
  await tied.events.next();
  await sleep(100);
  expect((await count(box)).stdout).toBe("3\n");
  tied.disconnect();
  await sleep(1_000);
  expect((await count(box)).stdout).toBe("1\n");
  const { last } = await collect((await stack.api.follow(box, tied.execId, 1)).events);
  expect(last).toMatchObject({ event: "exit", json: { endReason: "killed" } });
});

test("the newest reader has the stream, and the older one is told", async () => {
  const older = await stack.api.stream(id, { command: "sleep 0.5; echo done" });
  const newer = await stack.api.follow(id, older.execId);
  expect((await collect(older.events)).last).toMatchObject({ event: "error", json: { code: "conflict" } });
  expect((await collect(newer.events)).last).toMatchObject({ event: "exit" });
});

test("a stream ends with an error when its sandbox is killed, and when its lifetime is over", async () => {
  const killed = await otherBox();
  const stream = await stack.api.stream(killed, { command: "echo up; sleep 50" });
  await stream.events.next();
  await stack.api.delete(killed);
  const { last } = await collect(stream.events);
  expect(last).toMatchObject({
    event: "error",
    json: { code: "sandbox_ended", facts: { endReason: "killed" } },
  });
  const { id: short } = await stack.api.create({ lifetimeSeconds: 10 });
  const late = await collect((await stack.api.stream(short, { command: "echo up; sleep 50" })).events);
  expect(late.last).toMatchObject({
    event: "error",
    json: { code: "sandbox_ended", facts: { endReason: "lifetime" } },
  });
});

test("F1: a stream ends with exec_lost when its host dies", async () => {
  const { events } = await stack.api.stream(id, { command: "while :; do echo tick; sleep 0.01; done" });
  await events.next();
  await stack.kill("agentHost");
  const { last } = await collect(events);
  expect(last).toMatchObject({ id: "", event: "error", json: { code: "exec_lost", status: 502 } });
  await stack.startAgain("agentHost");
});
