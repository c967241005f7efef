import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { containerOf, expectBooksToAgree, rowsOf } from "../support/books.ts";
import { collect } from "../support/events.ts";
import { expectProblem } from "../support/problem.ts";
import { type TestStack, testStack } from "../support/stack.ts";
import {
  type Container,
  containersOf,
  firstProcessOf,
  hostIdOf,
  removeContainer,
  shimOf,
} from "../support/traces.ts";

let stack: TestStack;
beforeAll(async () => {
  // What a container that somebody removed leaves behind is a sweep's to clear.
  stack = await testStack({ SANDGATE_SWEEP_SECONDS: "1" });
});
afterAll(() => stack?.dispose());

const deaths: Record<string, (container: Container) => Promise<unknown>> = {
  "F6: its PID 1 is killed": async (container) => process.kill(await firstProcessOf(container), "SIGKILL"),
  "F5: its container is removed behind our back": (container) => removeContainer(container),
  "F7: the engine's process beside it is killed": async (container) =>
    process.kill(shimOf(await firstProcessOf(container)), "SIGKILL"),
};

describe("a sandbox ends as crashed within seconds, its slot is free and the pool is full again, when", () => {
  test.each(Object.entries(deaths))("%s", async (_how, kill) => {
    const { api, dataDir } = stack;
    const bystander = (await api.create()).id;
    const { id } = await api.create();
    const stream = await api.stream(id, { command: "echo up; sleep 50" });
    await stream.events.next();
    await kill(await containerOf(stack, id));
    const { last } = await collect(stream.events);
    expect(last).toMatchObject({ event: "error", json: { code: "sandbox_ended" } });
    await expect
      .poll(() => api.get(id), { timeout: 2_000 })
      .toMatchObject({
        state: "ended",
        endReason: "crashed",
      });
    expect((await rowsOf(dataDir)).held).toEqual([bystander]);
    expect(await api.exec(bystander, "echo unharmed")).toMatchObject({ stdout: "unharmed\n" });
    await expectBooksToAgree(stack, [bystander]);
    await api.delete(bystander);
  });

  test("a command runs in it, which is answered at once and not said to have ended", async () => {
    const { api } = stack;
    const { id } = await api.create();
    const answer = api.call("POST", `/v1/sandboxes/${id}/exec`, { command: "touch /tmp/runs; sleep 50" });
    const hasBegun = async () => (await api.exec(id, "test -e /tmp/runs")).exitCode;
    await expect.poll(hasBegun, { timeout: 5_000 }).toBe(0);
    process.kill(await firstProcessOf(await containerOf(stack, id)), "SIGKILL");
    await expectProblem(await answer, 410, "sandbox_ended");
    await expectBooksToAgree(stack, []);
  });
});

test("F29: a sandbox whose daemon stops answering says that a command's outcome is not known, and ends as crashed", async () => {
  const { api } = stack;
  const bystander = (await api.create()).id;
  const { id } = await api.create();
  const stream = await api.stream(id, { command: "echo up; sleep 50" });
  await stream.events.next();
  process.kill(await firstProcessOf(await containerOf(stack, id)), "SIGSTOP");
  const answer = await api.call("POST", `/v1/sandboxes/${id}/exec`, { command: "true", timeoutMs: 500 });
  await expectProblem(answer, 502, "exec_lost");
  await expect
    .poll(() => api.get(id), { timeout: 10_000 })
    .toMatchObject({ state: "ended", endReason: "crashed" });
  const { last } = await collect(stream.events);
  expect(last).toMatchObject({ event: "error", json: { code: "sandbox_ended" } });
  expect(await api.exec(bystander, "echo unharmed")).toMatchObject({ stdout: "unharmed\n" });
  await expectBooksToAgree(stack, [bystander]);
  await api.delete(bystander);
});

test("F6: a warm sandbox that dies is replaced, and never handed out", async () => {
  const { api, dataDir } = stack;
  await expectBooksToAgree(stack, []);
  const before = await containersOf(hostIdOf(dataDir));
  for (const container of before.slice(1)) {
    process.kill(await firstProcessOf(container), "SIGKILL");
  }
  const ids = (await Promise.all(before.map(() => api.create()))).map(({ id }) => id);
  for (const id of ids) expect(await api.exec(id, "echo works")).toMatchObject({ stdout: "works\n" });
  await expectBooksToAgree(stack, ids);
});
