import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SandboxMetrics } from "#contract/metrics";
import { worstCase } from "#contract/price";
import { containerOf, inDatabase, rowsOf } from "../support/books.ts";
import { billedOf, diedAtMs, giveBudget } from "../support/ledger-of-stack.ts";
import { type TestStack, testStack } from "../support/stack.ts";
import { engine, removeContainer } from "../support/traces.ts";

let stack: TestStack;
beforeAll(async () => {
  stack = await testStack({ SANDGATE_SWEEP_SECONDS: "1", SANDGATE_METER_INTERVAL_SECONDS: "2" });
});
afterAll(() => stack?.dispose());

/** A second of user time by the kernel's count, however long it takes. */
const burnASecond = "while read -ra stat < /proc/$$/stat && (( stat[13] < 100 )); do :; done";

type Made = { id: string; madeAtMs: number; container: Awaited<ReturnType<typeof containerOf>> };

async function create(): Promise<Made> {
  const { id } = await stack.api.create();
  const madeAtMs = Date.now();
  await hold(id);
  return { id, madeAtMs, container: await containerOf(stack, id) };
}

/** What is held for a sandbox, where its create has not done so. */
async function hold(id: string): Promise<void> {
  const most = worstCase({ cpu: 1, memoryMiB: 256, diskMiB: 1024 }, 900);
  await inDatabase(stack.dataDir, (client) =>
    client.execute({
      sql: `INSERT OR IGNORE INTO holds (sandbox_id, generation, tenant_id, key_id, template, metadata,
          lifetime_seconds, cpu_ms, memory_mib_seconds, disk_mib_seconds, egress_kib, created_at_ms, expires_at_ms)
        SELECT id, generation, tenant_id, (SELECT id FROM keys WHERE tenant_id = s.tenant_id LIMIT 1), template,
          metadata, 900, ?, ?, ?, 0, created_at_ms, expires_at_ms FROM sandboxes s WHERE id = ?`,
      args: [most.cpuMs, most.memoryMiBSeconds, most.diskMiBSeconds, id],
    }),
  );
}

/** Waits until all of these are paid for, and compares what is on the bill with what the engine saw. */
async function expectBillsToBeTrue(made: readonly Made[], offSeconds = 1): Promise<void> {
  const ids = made.map(({ id }) => id);
  const unsettled = async () => (await billedOf(stack, ids)).filter(({ isSettled }) => !isSettled);
  await expect.poll(unsettled, { timeout: 30_000, interval: 200 }).toEqual([]);
  for (const { sandboxId, memorySeconds } of await billedOf(stack, ids)) {
    const { container, madeAtMs } = made.find(({ id }) => id === sandboxId) as Made;
    const lived = ((await diedAtMs(container.id, madeAtMs)) - madeAtMs) / 1000;
    expect(Math.abs(memorySeconds - lived), `${sandboxId}: ${memorySeconds} s of ${lived}`).toBeLessThan(
      offSeconds,
    );
  }
}

test("I3: what is billed is what the engine saw, however a sandbox ends, over kill -9 of its host", async () => {
  const { api } = stack;
  const made = [await create(), await create(), await create(), await create()];
  const [deleted, removed, adopted, dead] = made as [Made, Made, Made, Made];
  await api.exec(adopted.id, ["bash", "-c", burnASecond], { timeoutMs: 50_000 });
  await sleep(2_500);
  await api.delete(deleted.id);
  await removeContainer(removed.container);
  await sleep(1_500);
  await stack.kill("agentHost");
  // By the engine, with nobody there to see it but the engine.
  await stopContainer(dead);
  await sleep(1_000);
  await stack.startAgain("agentHost");
  await sleep(1_500);
  const metrics = await api.call("GET", `/v1/sandboxes/${adopted.id}/metrics`);
  const { cpuMs } = SandboxMetrics.parse(await metrics.json()).current;
  await api.delete(adopted.id);
  await expectBillsToBeTrue(made);
  const billedMs = (await billedOf(stack, [adopted.id]))[0]?.cpuMs ?? 0;
  expect(billedMs).toBeGreaterThan(1_000);
  // The kernel counts what ran before the sandbox was handed out, too.
  expect(billedMs).toBeLessThan(cpuMs + 200);
});

test("F2: while the control plane is away nothing is lost, also of what ends meanwhile", async () => {
  const made = [await create(), await create()];
  const [removed, kept] = made as [Made, Made];
  await stack.kill("controlPlane");
  await sleep(3_000);
  await removeContainer(removed.container);
  await sleep(3_000);
  await stack.startAgain("controlPlane");
  await stack.api.delete(kept.id);
  await expectBillsToBeTrue(made);
});

test("a sandbox with a budget is asked to end, and ended before it costs more", async () => {
  const { api } = stack;
  const { id } = await create();
  const told = "trap 'echo told > /workspace/told; cat' TERM; while :; do sleep 0.05; done";
  await api.call("POST", `/v1/sandboxes/${id}/processes`, { command: ["bash", "-c", told] });
  const prices = {
    cpuHourMicros: 50_400,
    memoryGibHourMicros: 16_200,
    diskGibHourMicros: 200,
    egressGibMicros: 100_000,
    pausedGibHourMicros: 1_620,
  };
  await stack.kill("agentHost");
  // Little processor time is used: 256 MiB and 1 GiB of disk are 1.2 a second, and a core would be 14 more.
  giveBudget(stack.dataDir, id, { capMicros: 150, prices });
  await stack.startAgain("agentHost");
  const isTold = () => api.exec(id, "cat /workspace/told").then(({ stdout }) => stdout);
  await expect.poll(isTold, { timeout: 30_000 }).toBe("told\n");
  await api.call("POST", `/v1/sandboxes/${id}/exec`, { command: "while :; do :; done", timeoutMs: 50_000 });
  const ended = { state: "ended", endReason: "budget" };
  await expect.poll(() => api.get(id), { timeout: 30_000 }).toMatchObject(ended);
  await expect.poll(async () => (await billedOf(stack, [id]))[0]?.isSettled, { timeout: 10_000 }).toBe(true);
  const [bill] = await billedOf(stack, [id]);
  const seconds = bill?.memorySeconds ?? 0;
  const micros =
    ((bill?.cpuMs ?? 0) * 50_400) / 3_600_000 + (seconds * 16_200) / 4 / 3600 + (seconds * 200) / 3600;
  expect(micros).toBeLessThanOrEqual(150);
  expect(micros).toBeGreaterThan(100);
  expect((await rowsOf(stack.dataDir)).held).not.toContain(id);
  const audit = await inDatabase(stack.dataDir, (client) =>
    client.execute({ sql: "SELECT action FROM audit WHERE subject = ?", args: [id] }),
  );
  expect(audit.rows.map(({ action }) => action)).toContain("budget.warning");
});

async function stopContainer({ container }: Made): Promise<void> {
  await engine.text({ method: "POST", path: `/containers/${container.id}/kill`, deadlineMs: 10_000 });
}
