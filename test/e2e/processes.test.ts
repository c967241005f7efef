import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { newExecId } from "#contract/ids";
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

const untilEnded = (box: string, id: string) =>
  expect.poll(async () => (await stack.api.process(box, id)).state, { timeout: 5_000 }).toBe("ended");

test("a process is answered once it has started, runs on without a caller, and can be read from its start", async () => {
  const box = await newBox();
  const command = "for i in 1 2 3; do echo $i; sleep 0.2; done; exit 7";
  const process = await stack.api.start(box, { command, tag: "count" });
  expect(process).toMatchObject({ kind: "process", state: "running", command, tag: "count" });
  await untilEnded(box, process.id);
  const { stdout, last } = await collect((await stack.api.attach(box, process.id)).events);
  expect([stdout.toString(), last.event, last.json.exitCode]).toEqual(["1\n2\n3\n", "exit", 7]);
  const ended = await stack.api.process(box, process.id);
  expect(ended).toMatchObject({ state: "ended", exitCode: 7, endReason: "exited" });
  expect(ended.durationMs).toBeGreaterThan(500);
});

test("a reader who leaves ends nothing, and who comes back reads on where the first one stopped", async () => {
  const box = await newBox();
  const command = "for i in $(seq 1 10); do echo $i; sleep 0.1; done";
  const { id } = await stack.api.start(box, { command });
  const first = await stack.api.attach(box, id);
  const event = (await first.events.next()).value;
  first.disconnect();
  await sleep(300);
  const rest = await collect((await stack.api.attach(box, id, Number(event?.id))).events);
  const all = bytesOf(event?.data ?? "").toString() + rest.stdout.toString();
  expect(all.trim().split("\n").map(Number)).toEqual(Array.from({ length: 10 }, (_, i) => i + 1));
  expect(rest.last).toMatchObject({ event: "exit", json: { exitCode: 0 } });
});

test("nobody has to read: a process that prints without end is not held up, and the newest is kept", async () => {
  const box = await newBox();
  const { id } = await stack.api.start(box, {
    command: "head -c 5000000 /dev/zero | tr '\\0' x; echo; echo last",
  });
  await untilEnded(box, id);
  const { events, stdout } = await collect((await stack.api.attach(box, id)).events);
  expect(events[0]?.event).toBe("gap");
  expect(stdout.length).toBeLessThan(2 * limits.execStreamKeptBytes);
  expect(stdout.toString().endsWith("x\nlast\n")).toBe(true);
});

test("killing ends the whole tree, whatever it ignores and wherever it fled", async () => {
  const box = await newBox();
  const command = "trap '' TERM HUP INT; setsid sleep 301 & (trap '' TERM; sleep 302) & sleep 303";
  const { id, pid } = await stack.api.start(box, { command });
  await expect.poll(async () => (await stack.api.exec(box, "pgrep -c sleep")).stdout).toBe("3\n");
  await stack.api.killProcess(box, pid);
  expect((await stack.api.exec(box, "pgrep -c sleep || true")).stdout).toBe("0\n");
  expect(await stack.api.process(box, id)).toMatchObject({ state: "ended", signal: 9, endReason: "killed" });
});

test("the list shows what runs, streamed commands too, and the newest of what has ended", async () => {
  const box = await newBox();
  const streamed = await stack.api.stream(box, { command: "sleep 300" });
  const kept = await stack.api.start(box, { command: ["sleep", "300"] });
  for (let i = 0; i < limits.processesEndedMax + 5; i++) {
    const { id } = await stack.api.start(box, { command: `exit ${i}` });
    await collect((await stack.api.attach(box, id)).events);
  }
  const items = await stack.api.processes(box);
  const running = items.filter(({ state }) => state === "running");
  expect(running.map(({ id, kind }) => [id, kind])).toEqual([
    [kept.id, "process"],
    [streamed.execId, "exec"],
  ]);
  const codes = items.filter(({ state }) => state === "ended").map(({ exitCode }) => exitCode);
  expect(codes).toEqual(
    Array.from({ length: limits.processesEndedMax }, (_, i) => limits.processesEndedMax + 4 - i),
  );
  streamed.disconnect();
});

test("a timeout ends a process, and says so", async () => {
  const box = await newBox();
  const { id } = await stack.api.start(box, { command: "sleep 300", timeoutMs: 300 });
  await untilEnded(box, id);
  expect(await stack.api.process(box, id)).toMatchObject({ endReason: "timeout", signal: 9 });
});

test("a name of nobody is process_not_found: made up, PID 1, the tenant's own, another sandbox's", async () => {
  const [box, other] = [await newBox(), await newBox()];
  const { id, pid } = await stack.api.start(box, { command: "sleep 300 & echo $!; wait" });
  const { events } = await stack.api.attach(box, id);
  const child = bytesOf((await events.next()).value?.data ?? "")
    .toString()
    .trim();
  const call = (where: string, name: string, method = "GET") =>
    stack.api.call(method, `/v1/sandboxes/${where}/processes/${name}`);
  for (const name of [newExecId(), "1", "0", "-1", "99999999999", "nonsense", "1.5", child]) {
    await expectProblem(await call(box, name, "DELETE"), 404, "process_not_found");
    await expectProblem(await call(box, `${name}/events`), 404, "process_not_found");
  }
  for (const name of [id, String(pid + 1_000)])
    await expectProblem(await call(other, name, "DELETE"), 404, "process_not_found");
  expect(await stack.api.process(box, pid)).toMatchObject({ id, state: "running" });
  expect((await stack.api.exec(box, ["kill", "-0", child])).exitCode).toBe(0);
});

test("a process keeps its sandbox from being idle, and ends with it", async () => {
  const box = await boxOf(stack.api, { idleSeconds: 10 });
  const { id } = await stack.api.start(box, { command: "sleep 13; echo rested; sleep 300" });
  const { events } = await stack.api.attach(box, id);
  expect(bytesOf((await events.next()).value?.data ?? "").toString()).toBe("rested\n");
  await stack.api.delete(box);
  const { last } = await collect(events);
  expect(last).toMatchObject({ event: "error", json: { code: "sandbox_ended" } });
  await expectProblem(await stack.api.call("GET", `/v1/sandboxes/${box}/processes`), 410, "sandbox_ended");
});
