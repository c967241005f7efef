import { afterAll, beforeAll, expect, test } from "vitest";
import type { Process } from "#contract/process";
import { attach } from "../support/attach.ts";
import { boxOf } from "../support/box.ts";
import { collect } from "../support/events.ts";
import { expectProblem } from "../support/problem.ts";
import { type TestStack, testStack } from "../support/stack.ts";

const startCommand = "echo serving $GREETING; exec python3 -m http.server 8000 --directory /home/user";

let stack: TestStack;
beforeAll(async () => {
  // Three templates of one image: what makes them different is what is tested here, not how images are built.
  stack = await testStack({ SANDGATE_POOL_TARGET: "1" }, undefined, async (input) => {
    const { prepared } = input;
    const [base] = prepared.templates;
    const server = { ...base, name: "server", aliases: ["web"], startCommand };
    const broken = { ...base, name: "broken", aliases: [], startCommand: "no-such-program" };
    const templates: typeof prepared.templates = [base, server, broken];
    return { input: { ...input, prepared: { ...prepared, templates } }, stop: async () => undefined };
  });
});
afterAll(() => stack?.dispose());

const startedIn = async (box: string) => {
  const items = await stack.api.processes(box);
  return items.find(({ tag }) => tag === "start") as Process;
};

test("a template's program runs in every sandbox of it, as its tenant, with its environment, on its list", async () => {
  for (const template of ["server", "web"]) {
    const box = await boxOf(stack.api, { template, env: { GREETING: "hello" } });
    const started = await startedIn(box);
    expect(started).toMatchObject({ kind: "process", command: startCommand, tag: "start", state: "running" });
    const { events } = await stack.api.attach(box, started.id);
    expect(JSON.parse((await events.next()).value?.data ?? "{}")).toMatchObject({ data: "serving hello\n" });
    await stack.api.write(box, "page", "inside");
    const asked = async () => (await stack.api.call("GET", `/v1/sandboxes/${box}/ports/8000/page`)).text();
    await expect.poll(asked, { timeout: 10_000 }).toBe("inside");
    expect((await stack.api.exec(box, `ps -o user= -p ${started.pid}`)).stdout.trim()).toBe("user");
  }
});

test("other templates of the same host start nothing, and one that nobody serves is none", async () => {
  const box = await boxOf(stack.api);
  expect(await stack.api.processes(box)).toEqual([]);
  const unknown = await stack.api.call("POST", "/v1/sandboxes", { template: "nothing" });
  await expectProblem(unknown, 404, "template_not_found");
});

test("a program that fails is on the list with its code, and the sandbox is the tenant's all the same", async () => {
  const box = await boxOf(stack.api, { template: "broken" });
  await expect.poll(async () => (await startedIn(box)).exitCode).toBe(127);
  const { stderr } = await collect((await stack.api.attach(box, (await startedIn(box)).id)).events);
  expect(stderr.toString()).toContain("no-such-program");
  expect((await stack.api.exec(box, "echo works")).stdout).toBe("works\n");
});

test("it can be ended and signalled like any process, and does not keep its sandbox from being idle", async () => {
  const box = await boxOf(stack.api, { template: "server", idleSeconds: 10 });
  const other = await boxOf(stack.api, { template: "server" });
  await stack.api.killProcess(other, (await startedIn(other)).id);
  expect(await startedIn(other)).toMatchObject({ state: "ended", signal: 9 });
  await expect
    .poll(() => stack.api.get(box), { timeout: 20_000, interval: 500 })
    .toMatchObject({ state: "ended", endReason: "idle" });
});

test("a host that comes back serves all of its templates, and what ran goes on", async () => {
  const box = await boxOf(stack.api, { template: "server" });
  const { pid } = await startedIn(box);
  await stack.kill("agentHost");
  await stack.startAgain("agentHost");
  expect(await startedIn(box)).toMatchObject({ pid, state: "running" });
  const attached = await attach(stack.api, box, String(pid));
  await attached.see(/serving/);
  attached.socket.terminate();
  expect((await startedIn(await boxOf(stack.api, { template: "server" }))).state).toBe("running");
});
