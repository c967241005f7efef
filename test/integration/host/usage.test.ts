import { expect, test, vi } from "vitest";
import type { Quantities, UsageEvent } from "#contract/usage";
import { endSandbox } from "#host/sandboxes/end";
import { machinesOfThisFile, sumOf } from "../../support/metered-host.ts";

const machine = machinesOfThisFile();

const at = (hour: number, minute = 0, second = 0) => Date.UTC(2030, 0, 1, hour, minute, second);
const secondsOf = ({ fromMs, toMs }: UsageEvent) => (toMs - fromMs) / 1000;
/** What a sandbox of the harness's size uses in this time. */
const usedIn = (seconds: number, cpuMs = 0): Quantities => ({
  cpuMs,
  memoryMiBSeconds: 256 * seconds,
  diskMiBSeconds: 1024 * seconds,
  egressKiB: 0,
  pausedMiBSeconds: 0,
});
/** One after the other, without a gap, numbered from 1, the last one final. */
function expectWholeLife(events: readonly UsageEvent[], seconds: number, cpuMs = 0): void {
  expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, i) => i + 1));
  expect(events.map(({ isFinal }) => isFinal)).toEqual(events.map((_, i) => i === events.length - 1));
  for (const [i, event] of events.entries()) expect(event.fromMs).toBe(events[i - 1]?.toMs ?? event.fromMs);
  expect(sumOf(events)).toEqual(usedIn(seconds, cpuMs));
}

test("an interval is closed every minute, at each hour and at the end, and they are the whole life", async () => {
  const m = machine({ startMs: at(10, 58, 30) });
  const id = await m.create();
  m.pass(70);
  m.use(id, 700);
  m.pass(80);
  await m.end(id);
  expect(m.events().map(secondsOf)).toEqual([60, 30, 60, 0]);
  expect(m.events().map(({ toMs }) => toMs)).toContain(at(11));
  expectWholeLife(m.events(), 150, 700);
});

test("the processor time of what ran before the lease is not the tenant's", async () => {
  const m = machine();
  await m.host().pool.warmUp(1_000);
  for (const handle of m.runtime.containers.keys()) m.runtime.cpuMicrosUsed.set(handle, 90_000);
  const id = await m.create();
  m.use(id, 10);
  m.pass(5);
  await m.end(id);
  expectWholeLife(m.events(), 5, 10);
});

test("F16: a clock that jumps by an hour, forth or back, changes no amount and no order", async () => {
  for (const jumpMs of [3_600_000, -3_600_000]) {
    const m = machine();
    const id = await m.create({ expiresAtMs: at(20) });
    m.pass(90);
    m.clock.nowMs += jumpMs;
    m.pass(90);
    await m.restart(() => m.pass(0));
    m.clock.nowMs -= jumpMs;
    m.pass(20);
    await m.end(id);
    expectWholeLife(m.events(), 200);
  }
});

test("a killed host's successor goes on exactly where it was: nothing twice, nothing left out", async () => {
  const m = machine();
  const id = await m.create();
  m.pass(100);
  m.use(id, 40);
  await m.restart(() => {
    m.clock.nowMs += 7_000;
    m.steady.ms += 7_000;
  });
  m.pass(30);
  expect(m.take().map(secondsOf)).toEqual([60, 60]);
  // Everything was acknowledged and its files are gone: what it stands at is not.
  await m.restart();
  m.pass(10);
  await m.end(id);
  const [last] = m.events();
  expect(last).toMatchObject({ sequence: 3, isFinal: true, quantities: usedIn(27, 0) });
});

test("found dead after a crash of the host, a sandbox has lived until the engine says, and no longer", async () => {
  const m = machine();
  const id = await m.create();
  const live = m.liveOf(id);
  m.pass(70);
  await m.restart(() => {
    m.clock.nowMs += 20_000;
    m.steady.ms += 20_000;
    m.runtime.die(live.member, m.clock.nowMs - 12_000);
  });
  expectWholeLife(m.events(), 78);
});

test("gone without a trace, it has lived until its host last saw it", async () => {
  const m = machine();
  const id = await m.create();
  const { handle } = m.liveOf(id).member;
  m.pass(83);
  await m.restart(() => {
    m.runtime.containers.delete(handle);
    m.clock.nowMs += 3_600_000;
    m.steady.ms += 3_600_000;
  });
  expectWholeLife(m.events(), 83);
});

test("after a boot of the machine it has lived until its host last saw it, whatever the engine says", async () => {
  const m = machine();
  const id = await m.create();
  const live = m.liveOf(id);
  m.pass(75);
  await m.restart(() => {
    m.clock.nowMs += 600_000;
    Object.assign(m.steady, { ms: 20_000, bootId: "boot-2" });
    m.runtime.die(live.member, m.clock.nowMs);
  });
  expectWholeLife(m.events(), 75);
});

test("nobody pays for more than the lifetime, also of a sandbox that its host was late to end", async () => {
  const m = machine();
  const id = await m.create({ expiresAtMs: m.clock.nowMs + 100_000 });
  m.use(id, 500_000);
  m.pass(400);
  await m.end(id);
  expectWholeLife(m.events(), 100, 100_000);
  // Time that nobody pays for makes no events.
  expect(m.events().length).toBeLessThanOrEqual(3);
});

test("a longer lifetime is metered on; a create that failed is not metered at all", async () => {
  const m = machine();
  const id = await m.create({ expiresAtMs: m.clock.nowMs + 100_000 });
  m.pass(90);
  const live = m.liveOf(id);
  live.lease = { ...live.lease, expiresAtMs: live.lease.expiresAtMs + 100_000 };
  m.pass(90);
  await m.end(id);
  expectWholeLife(m.take(), 180);
  const other = await m.create();
  await endSandbox(m.host().deps, m.liveOf(other), "crashed", { isReported: false });
  expect(m.events()).toEqual([]);
});

test("F1: killed between the kill of a sandbox and its last interval, which the next host writes", async () => {
  const m = machine();
  const id = await m.create();
  const { member } = m.liveOf(id);
  m.pass(65);
  // F4: the program is over and killed with its sandbox, and nothing more was written.
  await m.restart(async () => {
    m.runtime.die(member);
    m.clock.nowMs += 2_000;
    m.steady.ms += 2_000;
  });
  expectWholeLife(m.events(), 65);
});

test("killed between a sandbox's last interval and the record of its end: there is one last interval", async () => {
  const m = machine();
  const id = await m.create();
  const { member, lease } = m.liveOf(id);
  m.pass(65);
  m.host().meter.finish(lease);
  await m.restart(() => m.runtime.die(member));
  expectWholeLife(m.events(), 65);
  expect(m.host().leases.ends()).toMatchObject([{ sandboxId: id }]);
});

test("while the outbox is full sandboxes go on and end, none is handed out, and no second is lost", async () => {
  const m = machine({ outboxMaxBytes: 6_000 });
  const ids = await Promise.all([m.create(), m.create(), m.create()]);
  m.pass(600);
  expect(m.host().usage.outbox.bytes).toBeLessThan(9_000);
  await expect(m.create()).rejects.toMatchObject({ code: "no_capacity" });
  for (const id of ids.slice(0, 2)) await m.end(id);
  const taken = m.take();
  await expect(m.create()).resolves.toBeTypeOf("string");
  m.pass(60);
  await m.end(ids[2] ?? "");
  const all = [...taken, ...m.events()];
  const of = (id = "") => all.filter(({ sandboxId }) => sandboxId === id);
  expectWholeLife(of(ids[0]), 600);
  expectWholeLife(of(ids[1]), 600);
  expectWholeLife(of(ids[2]), 660);
});

test("F17: with a full disk sandboxes end all the same, and their last intervals are written when it has room", async () => {
  const m = machine();
  const id = await m.create();
  m.pass(65);
  const { outbox } = m.host().usage;
  const append = vi.spyOn(outbox, "append").mockReturnValue(false);
  m.pass(120);
  await m.end(id);
  expect(m.host().meter.hasRoom()).toBe(false);
  await expect(m.create()).rejects.toMatchObject({ code: "no_capacity" });
  append.mockRestore();
  m.pass(1);
  expect(m.host().meter.hasRoom()).toBe(true);
  expectWholeLife(m.events(), 185);
});

test("F17: the first create that finds room on a disk that was full is served, and what waited is written", async () => {
  const m = machine();
  const id = await m.create();
  const append = vi.spyOn(m.host().usage.outbox, "append").mockReturnValue(false);
  m.pass(120);
  await m.end(id);
  await expect(m.create()).rejects.toMatchObject({ code: "no_capacity" });
  append.mockRestore();
  await m.create();
  expectWholeLife(m.events(), 120);
});
