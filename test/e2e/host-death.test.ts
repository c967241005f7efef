import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { limits } from "#contract/limits";
import { expectBooksToAgree } from "../support/books.ts";
import { bytesOf, collect, type ServerEvent } from "../support/events.ts";
import { expectProblem } from "../support/problem.ts";
import { type TestStack, testStack } from "../support/stack.ts";

let stack: TestStack;
let box: string;
beforeAll(async () => {
  stack = await testStack();
  box = (await stack.api.create({ lifetimeSeconds: 600 })).id;
});
afterAll(() => stack?.dispose());

/** The agent-host is gone for as long as `meanwhile` takes, and a little longer. */
async function die(meanwhile: () => Promise<unknown> = async () => undefined): Promise<void> {
  await stack.kill("agentHost");
  await meanwhile();
  await stack.startAgain("agentHost");
}

/** A reader who takes what comes until the connection breaks, and knows what to ask for then. */
function reader(events: AsyncIterable<ServerEvent>) {
  const had = { text: "", lastId: 0, events: [] as ServerEvent[] };
  const broken = (async () => {
    for await (const event of events) {
      had.events.push(event);
      if (event.event === "stdout" || event.event === "stderr") had.text += bytesOf(event.data);
      if (event.id !== "") had.lastId = Number(event.id);
    }
  })().catch(() => undefined);
  return { had, broken };
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => `${i}\n`).join("");
/** Numbered lines on both outputs, with characters that are cut in the middle. */
const counting = (count: number, exitCode: number) => [
  "python3",
  "-uc",
  [
    "import os, sys, time",
    `for i in range(${count}):`,
    "  for byte in f'{i} ü\\n'.encode(): os.write(1, bytes([byte])); byte == 0xc3 and os.write(2, b'!')",
    "  time.sleep(0.005)",
    `sys.exit(${exitCode})`,
  ].join("\n"),
];

describe("F1: kill -9 of the agent-host, with commands running", () => {
  test("a stream is taken up where it broke off: every line once, and the true code, once", async () => {
    const lines = 800;
    const { execId, events } = await stack.api.stream(box, { command: counting(lines, 7) });
    const first = reader(events);
    await expect.poll(() => first.had.lastId).toBeGreaterThan(1_000);
    await die(() => first.broken);
    expect(first.had.events.at(-1)).toMatchObject({ id: "", event: "error" });
    const rest = await collect((await stack.api.follow(box, execId, first.had.lastId)).events);
    const names = rest.events.map(({ event }) => event);
    expect(names).not.toContain("gap");
    expect(names.filter((name) => name === "exit")).toEqual(["exit"]);
    expect(rest.last).toMatchObject({ event: "exit", json: { exitCode: 7, endReason: "exited" } });
    const [before, all] = [first.had.events, await collect((await stack.api.follow(box, execId)).events)];
    const bytes = (kind: string, of: ServerEvent[]) =>
      of
        .filter(({ event }) => event === kind)
        .map(({ data }) => String(bytesOf(data)))
        .join("");
    const whole = Array.from({ length: lines }, (_, i) => `${i} ü\n`).join("");
    expect(bytes("stdout", [...before, ...rest.events])).toBe(whole);
    expect(bytes("stderr", [...before, ...rest.events])).toBe("!".repeat(lines));
    // From the start on it is the same again, and ids only grow.
    expect(String(all.stdout)).toBe(whole);
    const ids = [...before.slice(0, -1), ...rest.events].map(({ id }) => Number(id));
    expect(ids).toEqual([...new Set(ids)].sort((a, b) => a - b));
    expect(Number(rest.last.id)).toBe(Buffer.byteLength(whole) + lines + 1);
  });

  test("what ends meanwhile is on the list with its code, and what it printed is kept", async () => {
    const { api } = stack;
    const one = await api.start(box, {
      command: "sleep 0.5; echo late; exit 7",
      tag: "one",
      timeoutMs: 60_000,
    });
    const gone = await api.start(box, { command: "exit 3" });
    await expect.poll(async () => (await api.process(box, gone.id)).state).toBe("ended");
    const listed = await api.processes(box);
    await die(() => sleep(1_500));
    expect((await api.processes(box)).map(({ id }) => id)).toEqual(listed.map(({ id }) => id));
    const ended = await api.process(box, one.id);
    expect(ended).toMatchObject({ ...one, state: "ended", exitCode: 7, endReason: "exited" });
    expect(ended.durationMs).toBeGreaterThan(490);
    expect(ended.durationMs).toBeLessThan(1_500);
    expect(await api.process(box, gone.id)).toEqual(listed.find(({ id }) => id === gone.id));
    const { stdout, last } = await collect((await api.attach(box, one.id)).events);
    expect([String(stdout), last.event, last.json.exitCode]).toEqual(["late\n", "exit", 7]);
  });

  test("input, signals, sizes and kills reach what a former host has started", async () => {
    const { api } = stack;
    const cat = await api.start(box, { command: ["cat"], stdin: true });
    await api.input(box, cat.id, "before ");
    const trap = await api.start(box, {
      command: "trap 'echo hup; exit 4' HUP; echo set; while :; do sleep 0.05; done",
    });
    const shell = await api.start(box, { command: ["bash", "--norc"], pty: { cols: 80, rows: 24 } });
    await api.resize(box, shell.id, { cols: 99, rows: 40 });
    const sleeper = await api.start(box, { command: "sleep 600 & sleep 600" });
    await expect.poll(async () => (await api.process(box, trap.id)).state).toBe("running");
    await sleep(200);
    await die();
    await api.input(box, cat.id, "after", "?close=true");
    const echoed = await collect((await api.attach(box, cat.id)).events);
    expect([String(echoed.stdout), echoed.last.json.exitCode]).toEqual(["before after", 0]);
    await api.signal(box, trap.pid, { signal: "SIGHUP" });
    const trapped = await collect((await api.attach(box, trap.id)).events);
    expect([String(trapped.stdout), trapped.last.json.exitCode]).toEqual(["set\nhup\n", 4]);
    expect(await api.process(box, shell.id)).toMatchObject({ state: "running", pty: { cols: 99, rows: 40 } });
    await api.input(box, shell.id, "stty size; exit 6\n");
    const typed = await collect((await api.attach(box, shell.id)).events);
    expect(String(typed.stdout)).toContain("40 99");
    expect(typed.last.json.exitCode).toBe(6);
    await api.killProcess(box, sleeper.id);
    expect(await api.process(box, sleeper.id)).toMatchObject({ state: "ended", endReason: "killed" });
  });

  test("ten megabytes printed meanwhile: a gap, the newest MiB, and the end", async () => {
    const command = "echo first; sleep 0.5; head -c 10000000 /dev/zero | tr '\\0' x; echo; echo last";
    const { execId, events } = await stack.api.stream(box, { command });
    const first = reader(events);
    await expect.poll(() => first.had.text).toBe("first\n");
    await die(() => sleep(1_500));
    const rest = await collect((await stack.api.follow(box, execId, first.had.lastId)).events);
    const gap = JSON.parse(rest.events[0]?.data ?? "{}");
    expect(rest.events[0]?.event).toBe("gap");
    expect(gap.fromSeq).toBe("first\n".length + 1);
    expect(gap.toSeq + rest.stdout.length).toBe(6 + 10_000_000 + 1 + 5);
    expect(rest.stdout.length).toBeGreaterThan(limits.execStreamKeptBytes * 0.9);
    expect(String(rest.stdout).endsWith("x\nlast\n")).toBe(true);
    expect(rest.last).toMatchObject({ event: "exit", json: { exitCode: 0, truncated: { stdout: false } } });
  });

  test("output that was asked to be cut stays cut at the same byte, and says so", async () => {
    const command = `for i in $(seq 0 99); do echo $i; sleep 0.01; done`;
    const { execId, events } = await stack.api.stream(box, { command, maxOutputBytes: 30 });
    const first = reader(events);
    await expect.poll(() => first.had.text.length).toBeGreaterThan(4);
    await die(() => sleep(500));
    const rest = await collect((await stack.api.follow(box, execId, first.had.lastId)).events);
    expect(first.had.text + rest.stdout).toBe(numbers(100).slice(0, 30));
    expect(rest.last.json).toMatchObject({ exitCode: 0, truncated: { stdout: true, stderr: false } });
  });

  test("a timeout passes while nobody watches, and is told", async () => {
    const { id } = await stack.api.start(box, { command: "sleep 600", timeoutMs: 1_000 });
    await die(() => sleep(1_200));
    expect(await stack.api.process(box, id)).toMatchObject({
      state: "ended",
      endReason: "timeout",
      signal: 9,
    });
  });

  test("what was to be killed when its reader goes is killed: its reader has gone", async () => {
    const request = { command: "echo here; sleep 600" };
    const tied = await stack.api.stream(box, request, "?cancelOnDisconnect=true");
    const first = reader(tied.events);
    await expect.poll(() => first.had.text).toBe("here\n");
    await die();
    const { last } = await collect((await stack.api.follow(box, tied.execId, first.had.lastId)).events);
    expect(last).toMatchObject({ event: "exit", json: { endReason: "killed" } });
  });

  test("a session ends with its host, and says so", async () => {
    const { id } = await stack.api.openSession(box, { tag: "mine" });
    await stack.api.inSession(box, id, "sleep 600 & echo $!");
    await die();
    expect(await stack.api.process(box, id)).toMatchObject({ kind: "session", state: "ended", tag: "mine" });
    const answer = await stack.api.call("POST", `/v1/sandboxes/${box}/sessions/${id}/exec`, {
      command: "true",
    });
    await expectProblem(answer, 409, "process_ended");
    expect((await stack.api.exec(box, "ps -o args= | grep '[s]leep 600' | wc -l")).stdout.trim()).toBe("0");
  });

  test("it may die again and again, and once right after an end", async () => {
    const { id } = await stack.api.start(box, { command: counting(1_500, 5) });
    const after: string[] = [];
    for (let i = 0; i < 3; i++) {
      await die();
      after.push((await stack.api.process(box, id)).state);
    }
    const { stdout, last } = await collect((await stack.api.attach(box, id)).events);
    expect(last.json.exitCode).toBe(5);
    expect(String(stdout)).toBe(Array.from({ length: 1_500 }, (_, i) => `${i} ü\n`).join(""));
    await die();
    const again = await collect((await stack.api.attach(box, id)).events);
    expect([again.last.id, again.last.json]).toEqual([last.id, last.json]);
    expect(after).toContain("running");
  });

  test("and when all is over nothing is left", async () => {
    await stack.api.delete(box);
    await expectBooksToAgree(stack, []);
  });
});
