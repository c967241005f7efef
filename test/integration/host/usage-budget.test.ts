import { expect, test } from "vitest";
import { patchSandbox } from "#host/sandboxes/patch";
import { machinesOfThisFile, sumOf } from "../../support/metered-host.ts";

const machine = machinesOfThisFile();
const prices = {
  cpuHourMicros: 50_400,
  memoryGibHourMicros: 16_200,
  diskGibHourMicros: 200,
  egressGibMicros: 100_000,
  pausedGibHourMicros: 1_620,
};

test("a sandbox with a budget is told ten seconds ahead and ended in time, over a restart of its host too", async () => {
  const m = machine();
  // What a core, 256 MiB and 1 GiB of disk cost in a minute: 840 + 68 + 4 micro-dollars.
  const id = await m.create({ budget: { capMicros: 912, prices } });
  const run = (seconds: number) => {
    for (let i = 0; i < seconds && !m.liveOf(id).ending; i++) {
      m.use(id, 1000);
      m.pass(1);
    }
  };
  run(30);
  await m.restart();
  run(17);
  expect(m.host().usage.warned).toEqual([]);
  run(3);
  expect(m.host().usage.warned).toEqual([id]);
  run(60);
  await expect.poll(() => m.host().leases.ends()).toMatchObject([{ sandboxId: id, endReason: "budget" }]);
  expect(m.host().usage.warned).toEqual([id]);
  const events = m.events();
  expect(events.filter(({ isBudgetWarning }) => isBudgetWarning)).toHaveLength(1);
  const seconds = sumOf(events).memoryMiBSeconds / 256;
  expect(seconds).toBeGreaterThanOrEqual(56);
  expect(seconds).toBeLessThanOrEqual(60);
});

test("what a sandbox used while its host was down is billed up to its cap, and it ends as soon as one is there", async () => {
  const m = machine();
  const id = await m.create({ budget: { capMicros: 700, prices } });
  m.pass(5);
  await m.restart(() => {
    m.clock.nowMs += 800_000;
    m.steady.ms += 800_000;
  });
  m.pass(1);
  await expect.poll(() => m.host().leases.ends()).toMatchObject([{ sandboxId: id, endReason: "budget" }]);
  const used = sumOf(m.events());
  const micros = (used.memoryMiBSeconds * 16_200 + used.diskMiBSeconds * 200) / (1024 * 3600);
  expect(micros).toBeLessThanOrEqual(700);
  expect(micros).toBeGreaterThan(690);
});

test("a cap that is raised is told of again before it is spent, and a life goes on until then", async () => {
  const m = machine();
  const id = await m.create({ budget: { capMicros: 500, prices } });
  const run = (seconds: number) => {
    for (let i = 0; i < seconds && !m.liveOf(id).ending; i++) {
      m.use(id, 1000);
      m.pass(1);
    }
  };
  run(27);
  expect(m.host().usage.warned).toEqual([id]);
  const { expiresAtMs } = m.leaseOf(id);
  patchSandbox(m.host().deps, m.liveOf(id), { expiresAtMs, capMicros: 1_000 });
  await m.restart();
  run(20);
  expect(m.host().usage.warned).toEqual([]);
  run(60);
  expect(m.host().usage.warned).toEqual([id]);
  await expect.poll(() => m.host().leases.ends()).toMatchObject([{ sandboxId: id, endReason: "budget" }]);
});
