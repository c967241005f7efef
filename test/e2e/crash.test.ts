import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ageCreates, expectBooksToAgree, leasesOf, rowsOf } from "../support/books.ts";
import { expectProblem } from "../support/problem.ts";
import { type TestStack, testStack } from "../support/stack.ts";
import { containersOf, firstProcessOf, hostIdOf } from "../support/traces.ts";

const commandMs = 3_000;
const commandEnds = { timeout: 3 * commandMs, interval: 200 };

let stack: TestStack;
beforeAll(async () => {
  stack = await testStack({ SANDGATE_SWEEP_SECONDS: "1" });
});
afterAll(() => stack?.dispose());

const endAll = async (ids: readonly string[]) => {
  await Promise.all(ids.map((id) => stack.api.delete(id)));
  await expectBooksToAgree(stack, []);
};

/** Starts a command that only its timeout ends, and resolves once it runs. */
async function startCommand(id: string): Promise<{ answer: Promise<Response | undefined> }> {
  const request = { command: "echo $$ > /tmp/runs && exec sleep 50", timeoutMs: commandMs };
  const answer = stack.api.call("POST", `/v1/sandboxes/${id}/exec`, request).catch(() => undefined);
  await expect.poll(() => isRunning(id), { timeout: 5_000 }).toBe(true);
  return { answer };
}

/** Whether that command's process is there, asked inside of the sandbox. */
async function isRunning(id: string): Promise<boolean> {
  return (await stack.api.exec(id, 'kill -0 "$(cat /tmp/runs)"')).exitCode === 0;
}

describe("F1: kill -9 of the agent-host", () => {
  test("keeps its sandboxes and its pool: the next process adopts both, once each", async () => {
    const { api } = stack;
    const ids = [(await api.create()).id, (await api.create({ lifetimeSeconds: 600 })).id];
    for (const id of ids) await api.write(id, "note", `of ${id}`);
    await expectBooksToAgree(stack, ids);
    const before = await containersOf(hostIdOf(stack.dataDir));
    const leases = leasesOf(stack.dataDir);
    await stack.kill("agentHost");
    await stack.startAgain("agentHost");
    for (const id of ids) {
      expect(await api.exec(id, "cat note")).toMatchObject({ exitCode: 0, stdout: `of ${id}` });
    }
    await expectBooksToAgree(stack, ids);
    const names = (containers: typeof before) => containers.map(({ id }) => id).sort();
    expect(names(await containersOf(hostIdOf(stack.dataDir)))).toEqual(names(before));
    expect(leasesOf(stack.dataDir)).toEqual(leases);
    await endAll(ids);
  });

  test("during a command: its outcome is said to be unknown, and its timeout ends it all the same", async () => {
    const { id } = await stack.api.create();
    const { answer } = await startCommand(id);
    await stack.kill("agentHost");
    await expectProblem(answered(await answer), 502, "exec_lost");
    await stack.startAgain("agentHost");
    await expect.poll(() => isRunning(id), commandEnds).toBe(false);
    await endAll([id]);
  });

  test("between the claim and the answer: the caller is told, and nothing half-made is left", async () => {
    await expectBooksToAgree(stack, []);
    const containers = await containersOf(hostIdOf(stack.dataDir));
    const daemons = await Promise.all(containers.map(firstProcessOf));
    // Warm sandboxes that do not answer hold a create right after its claim, for as long as this takes.
    for (const pid of daemons) process.kill(pid, "SIGSTOP");
    const answer = stack.api.call("POST", "/v1/sandboxes", {});
    await expect.poll(() => leasesOf(stack.dataDir).length, { timeout: 10_000 }).toBe(1);
    await stack.kill("agentHost");
    for (const pid of daemons) process.kill(pid, "SIGCONT");
    await expectProblem(await answer, 503, "host_unreachable");
    await stack.startAgain("agentHost");
    await expectBooksToAgree(stack, []);
    expect((await rowsOf(stack.dataDir)).rows).toContainEqual(
      expect.objectContaining({ state: "ended", endReason: "canceled" }),
    );
  });
});

describe("kill -9 of the control plane", () => {
  test("during creates: who was answered has a sandbox, and every slot settles", async () => {
    const { api } = stack;
    const answers = Array.from({ length: 8 }, () => api.create().catch(() => undefined));
    const first = await Promise.race(answers);
    await stack.kill("controlPlane");
    const answered = (await Promise.all(answers)).flatMap((sandbox) => sandbox?.id ?? []);
    expect(answered).toContain(first?.id);
    await stack.startAgain("controlPlane");
    for (const id of answered) expect(await api.exec(id, "echo works")).toMatchObject({ stdout: "works\n" });
    await ageCreates(stack.dataDir);
    await expect.poll(() => unsettled(), { timeout: 15_000, interval: 100 }).toEqual([]);
    const { rows, held } = await rowsOf(stack.dataDir);
    const live = rows.filter(({ state }) => state === "running").map(({ id }) => id);
    expect(live).toEqual(expect.arrayContaining(answered));
    expect(held).toEqual(live);
    await expectBooksToAgree(stack, live);
    await endAll(live);
  });

  test("and of the agent-host, during a command: both come back, and so does the sandbox", async () => {
    const { id } = await stack.api.create();
    await stack.api.write(id, "note", "kept");
    const { answer } = await startCommand(id);
    await Promise.all([stack.kill("controlPlane"), stack.kill("agentHost")]);
    expect(await answer).toBeUndefined();
    await stack.startAgain("controlPlane", "agentHost");
    expect(String(await stack.api.read(id, "note"))).toBe("kept");
    await expect.poll(() => isRunning(id), commandEnds).toBe(false);
    await endAll([id]);
  });
});

function answered(response: Response | undefined): Response {
  if (!response) throw new Error("There was no answer at all.");
  return response;
}

const unsettled = async () =>
  (await rowsOf(stack.dataDir)).rows.filter(({ state }) => state === "creating" || state === "ending");
