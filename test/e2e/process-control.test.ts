import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { limits } from "#contract/limits";
import { boxOf } from "../support/box.ts";
import { bytesOf, collect } from "../support/events.ts";
import { expectProblem } from "../support/problem.ts";
import { type TestStack, testStack } from "../support/stack.ts";

let stack: TestStack;
beforeAll(async () => {
  stack = await testStack();
});
afterAll(() => stack?.dispose());
const newBox = () => boxOf(stack.api);

const sending = (box: string, id: string, bytes: Uint8Array | string, query = "") =>
  stack.api.call("POST", `/v1/sandboxes/${box}/processes/${id}/stdin${query}`, bytes);

test("input arrives as it was sent, any bytes of it, and its end ends what reads it", async () => {
  const box = await newBox();
  const { id } = await stack.api.start(box, { command: ["cat"], stdin: true, outputEncoding: "base64" });
  const sent = [Buffer.from("text\n"), Buffer.from([0, 255, 254, 0xc3, 10]), Buffer.alloc(100_000, "y")];
  for (const bytes of sent) await stack.api.input(box, id, bytes);
  await stack.api.input(box, id, "", "?close=true");
  const { stdout, last } = await collect((await stack.api.attach(box, id)).events);
  expect(stdout.equals(Buffer.concat(sent))).toBe(true);
  expect(last.json).toMatchObject({ exitCode: 0, endReason: "exited" });
  await expectProblem(await sending(box, id, "more"), 409, "process_ended");
});

test("a conversation: what was answered can be read before more is sent", async () => {
  const box = await newBox();
  const command = [
    "python3",
    "-uc",
    "import sys\nfor line in sys.stdin: sys.stdout.write(str(int(line) * 2) + chr(10))",
  ];
  const { id } = await stack.api.start(box, { command, stdin: true });
  const { events } = await stack.api.attach(box, id);
  for (const number of [1, 21, 400]) {
    await stack.api.input(box, id, `${number}\n`);
    expect(bytesOf((await events.next()).value?.data ?? "").toString()).toBe(`${number * 2}\n`);
  }
  await stack.api.killProcess(box, id);
});

test("a process that does not read takes a bounded amount, each piece whole or not at all", async () => {
  const box = await newBox();
  const { id } = await stack.api.start(box, {
    command: "while [ ! -e go ]; do sleep 0.05; done; sha256sum",
    stdin: true,
  });
  const piece = Buffer.alloc(limits.stdinMaxBytes, "z");
  let taken = 0;
  for (; taken < 10; taken++) {
    const answer = await sending(box, id, piece);
    if (answer.status === 204) continue;
    await expectProblem(answer, 409, "input_full");
    break;
  }
  expect(taken).toBeGreaterThan(0);
  expect(taken).toBeLessThan(5);
  // Once it reads there is room again, and what was refused is not in what it read.
  await stack.api.write(box, "go", "");
  await expect.poll(async () => (await sending(box, id, "end")).status, { timeout: 5_000 }).toBe(204);
  await stack.api.input(box, id, "", "?close=true");
  const { stdout } = await collect((await stack.api.attach(box, id)).events);
  const expected = await stack.api.exec(
    box,
    `python3 -c 'print("z" * ${taken * piece.length} + "end", end="")' | sha256sum`,
  );
  expect(stdout.toString()).toBe(expected.stdout);
});

test("input to a process that was started without any, or that has closed it, is refused", async () => {
  const box = await newBox();
  const deaf = await stack.api.start(box, { command: "sleep 300" });
  await expectProblem(await sending(box, deaf.id, "x"), 409, "input_closed");
  const closed = await stack.api.start(box, { command: "cat; sleep 300", stdin: true });
  await stack.api.input(box, closed.id, "x", "?close=true");
  await expectProblem(await sending(box, closed.id, "x"), 409, "input_closed");
  await expectProblem(
    await sending(box, closed.id, "x".repeat(limits.stdinMaxBytes + 1)),
    413,
    "payload_too_large",
  );
});

test("a signal is the process group's, and with `tree` that of everything it has started", async () => {
  const box = await newBox();
  const trap = "trap 'echo caught' USR1; echo ready; while :; do sleep 0.05; done";
  const { id } = await stack.api.start(box, {
    command: ["bash", "-c", `setsid bash -c "${trap}" & ${trap}`],
  });
  const { events } = await stack.api.attach(box, id);
  let text = "";
  const read = async (word: string, times: number) => {
    while (text.split(word).length - 1 < times) text += bytesOf((await events.next()).value?.data ?? "");
  };
  await read("ready", 2);
  await stack.api.signal(box, id, { signal: "SIGUSR1" });
  await read("caught", 1);
  await sleep(300);
  await stack.api.signal(box, id, { signal: "SIGUSR1", tree: true });
  await read("caught", 3);
  await stack.api.signal(box, id, { signal: "SIGKILL" });
  expect((await collect(events)).last.json).toMatchObject({ signal: 9, endReason: "killed" });
  expect((await stack.api.exec(box, "pgrep -c bash || true")).stdout).toBe("0\n");
});

test("a process that ignores what it is asked is ended by what it cannot ignore", async () => {
  const box = await newBox();
  const { id } = await stack.api.start(box, {
    command: "trap '' TERM HUP INT QUIT; echo up; while :; do sleep 1; done",
  });
  const { events } = await stack.api.attach(box, id);
  await events.next();
  for (const signal of ["SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT"] as const)
    await stack.api.signal(box, id, { signal });
  await sleep(300);
  expect(await stack.api.process(box, id)).toMatchObject({ state: "running" });
  await stack.api.killProcess(box, id);
  expect(await stack.api.process(box, id)).toMatchObject({ state: "ended", signal: 9 });
});

test("a stopped process waits until it is continued, and can be killed while it is stopped", async () => {
  const box = await newBox();
  const { id } = await stack.api.start(box, { command: "while :; do echo tick; sleep 0.05; done" });
  await stack.api.signal(box, id, { signal: "SIGSTOP", tree: true });
  const state = async () => {
    const { pid } = await stack.api.process(box, id);
    return (await stack.api.exec(box, `ps -o stat= -p ${pid}`)).stdout.trim()[0];
  };
  await expect.poll(state).toBe("T");
  await stack.api.signal(box, id, { signal: "SIGCONT", tree: true });
  await expect.poll(state).toBe("S");
  await stack.api.signal(box, id, { signal: "SIGSTOP", tree: true });
  await stack.api.killProcess(box, id);
  expect(await stack.api.process(box, id)).toMatchObject({ state: "ended", signal: 9 });
});
