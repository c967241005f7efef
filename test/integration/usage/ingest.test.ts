import { sql } from "drizzle-orm";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { newHostCode, newSandboxId } from "#contract/ids";
import { costMicros } from "#contract/price";
import type { UsageEvent } from "#contract/usage";
import { ingest } from "#worker/usage/ingest";
import { rebuildUsage } from "#worker/usage/rebuild";
import { settle } from "#worker/usage/settle";
import { type Harness, harness, problemOf } from "../../support/harness.ts";
import { signedHeartbeat, usagePath } from "../../support/heartbeats.ts";
import { booksOf, holdFor, rowsOf, usageEvent } from "../../support/ledger.ts";

let h: Harness;
beforeAll(async () => {
  h = await harness();
});
afterAll(() => h.close());
const tables = "usage_events usage_hours usage_months holds statements audit".split(" ");
const clear = async () => {
  const kept = ["statements_are_immutable", "statements_are_kept", "audit_is_kept"];
  for (const trigger of kept) await h.deps.db.run(sql.raw(`DROP TRIGGER IF EXISTS ${trigger}`));
  for (const table of tables) await h.deps.db.run(sql.raw(`DELETE FROM ${table}`));
  h.events.splice(0);
};
beforeEach(clear);

/** 10:00 of the first day of 2030. */
const startMs = Date.UTC(2030, 0, 1, 10);
const minuteMs = 60_000;
const take = (events: UsageEvent[]) => ingest(h.deps, h.host.hostId, { events });
const logged = (event: string) => h.events.filter((each) => each.event === event);
async function sandbox(over: { lifetimeSeconds?: number; capMicros?: number; createdAtMs?: number } = {}) {
  const sandboxId = newSandboxId(h.host.code);
  const { tenantId, id: keyId } = h;
  await holdFor(h.deps.db, { sandboxId, tenantId, keyId, createdAtMs: startMs, ...over });
  return sandboxId;
}
/** So many minutes of a life from its beginning on, the last of them final. */
const life = (id: Awaited<ReturnType<typeof sandbox>>, minutes: number, fromMs = startMs) =>
  Array.from({ length: minutes }, (_, i) =>
    usageEvent(id, i + 1, { fromMs: fromMs + i * minuteMs, isFinal: i === minutes - 1 }),
  );

test("a signed report is recorded, and answered so that its host forgets it", async () => {
  const id = await sandbox();
  const said = { events: life(id, 3) };
  const now = h.clock.now();
  const response = await h.app.request(usagePath, await signedHeartbeat(h.host, said, now, usagePath));
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({ accepted: 3 });
  const { events, months, holds } = await booksOf(h.deps.db);
  expect(events).toHaveLength(3);
  expect(events[0]).toMatchObject({ tenant_id: h.tenantId, key_id: h.id, metadata: '{"team":"red"}' });
  expect(months).toMatchObject([{ month: "2030-01", cpu_ms: 300, memory_mib_seconds: 256 * 180 }]);
  expect(holds).toMatchObject([{ used_cpu_ms: 300, events_seen: 3, events_expected: 3, is_settled: 1 }]);
});

test("a report that is not signed by a host, or by one that was removed, is refused and changes nothing", async () => {
  const said = { events: life(await sandbox(), 1) };
  const now = h.clock.now();
  const stranger = { ...h.host, key: "00".repeat(32) };
  const forged = await h.app.request(usagePath, await signedHeartbeat(stranger, said, now, usagePath));
  expect((await problemOf(forged)).code).toBe("unauthenticated");
  const other = await harness();
  const unknown = other.host;
  await other.close();
  await expect(ingest(h.deps, unknown.hostId, said)).rejects.toMatchObject({ code: "forbidden" });
  expect((await booksOf(h.deps.db)).events).toEqual([]);
});

test("a host bills nobody for sandboxes of other hosts, of other generations, or that nobody has made", async () => {
  const [foreign, unknown, other] = [newSandboxId(newHostCode()), newSandboxId(h.host.code), await sandbox()];
  const { tenantId, id: keyId } = h;
  await holdFor(h.deps.db, { sandboxId: foreign, tenantId, keyId, createdAtMs: startMs });
  const events = [
    ...life(foreign, 1),
    ...life(unknown, 1),
    ...life(other, 1).map((event) => ({ ...event, generation: 2 })),
  ];
  expect(await take(events)).toEqual({ accepted: 3 });
  const { events: recorded, months } = await booksOf(h.deps.db);
  expect([recorded, months]).toEqual([[], []]);
  expect(logged("usage_foreign")).toMatchObject([{ ids: [`${foreign}-1-1`] }]);
  expect(logged("usage_unknown")[0]?.ids).toEqual([`${unknown}-1-1`, `${other}-2-1`]);
});

test("in any order, any batches and any number of times, events leave the same books", async () => {
  const ids = await Promise.all([sandbox(), sandbox(), sandbox({ lifetimeSeconds: 7200 })]);
  const all = [...life(ids[0] as never, 4), ...life(ids[1] as never, 9), ...life(ids[2] as never, 100)];
  const { holds } = { holds: await rowsOf(h.deps.db, "SELECT * FROM holds") };
  const reset = async () => {
    for (const table of ["usage_events", "usage_hours", "usage_months"])
      await h.deps.db.run(sql.raw(`DELETE FROM ${table}`));
    await h.deps.db.run(sql`UPDATE holds SET used_cpu_ms = 0, used_memory_mib_seconds = 0, used_disk_mib_seconds = 0,
      events_seen = 0, events_expected = NULL, settled_at_ms = NULL`);
  };
  await take(all);
  const expected = await booksOf(h.deps.db);
  expect(expected.holds.every(({ is_settled }) => is_settled === 1)).toBe(true);
  expect(holds).toHaveLength(3);
  const repeated = fc.shuffledSubarray(all, { minLength: 0 });
  const order = fc
    .tuple(fc.shuffledSubarray(all, { minLength: all.length }), repeated)
    .map(([whole, again]) => [...whole, ...again])
    .chain((events) => fc.shuffledSubarray(events, { minLength: events.length }));
  await fc.assert(
    fc.asyncProperty(order, fc.integer({ min: 1, max: 60 }), async (events, size) => {
      await reset();
      for (let i = 0; i < events.length; i += size) await take(events.slice(i, i + size));
      expect(await booksOf(h.deps.db)).toEqual(expected);
    }),
    { numRuns: 8 },
  );
});

test("F10: the same report twice at once counts once", async () => {
  const events = life(await sandbox(), 5);
  await Promise.all([take(events), take(events), take(events)]);
  expect((await booksOf(h.deps.db)).months).toMatchObject([{ cpu_ms: 500 }]);
});

test("a hold is settled by its last missing event, and not before", async () => {
  const events = life(await sandbox(), 4);
  await take([...events.slice(0, 2), ...events.slice(3)]);
  expect((await booksOf(h.deps.db)).holds).toMatchObject([
    { events_seen: 3, events_expected: 4, is_settled: 0 },
  ]);
  await take(events.slice(2, 3));
  expect((await booksOf(h.deps.db)).holds).toMatchObject([{ events_seen: 4, is_settled: 1 }]);
});

test("a day after its deadline a hold is settled at what is there, and what comes then is written off", async () => {
  const events = life(await sandbox(), 3);
  await take(events.slice(0, 1));
  const at = (ms: number) => settle({ db: h.deps.db, now: () => startMs + ms });
  const dayMs = 24 * 3_600_000;
  expect(await at(900_000 + dayMs)).toMatchObject({ settled: 0 });
  expect(await at(900_000 + dayMs + 1)).toMatchObject({ settled: 1 });
  expect(await at(900_000 + dayMs + 2)).toMatchObject({ settled: 0 });
  const before = await booksOf(h.deps.db);
  await take(events);
  const after = await booksOf(h.deps.db);
  expect(after.events.map(({ is_written_off }) => is_written_off)).toEqual([0, 1, 1]);
  expect({ ...after, events: [] }).toEqual({ ...before, events: [] });
  expect(logged("usage_written_off")).toHaveLength(1);
});

test("whatever a host says, no more is billed than was held", async () => {
  const id = await sandbox({ lifetimeSeconds: 60 });
  const over = { cpuMs: 50_000, memoryMiBSeconds: 10_000, diskMiBSeconds: 1e12 };
  const events = [1, 2, 3].map((n) => usageEvent(id, n, { fromMs: startMs, quantities: over }));
  await take(events.slice(0, 2));
  await take([...events.slice(2), usageEvent(id, 4, { fromMs: startMs, seconds: 0, isFinal: true })]);
  expect((await booksOf(h.deps.db)).months).toMatchObject([
    { cpu_ms: 60_000, memory_mib_seconds: 256 * 60, disk_mib_seconds: 1024 * 60 },
  ]);
  expect(logged("usage_clamped").length).toBeGreaterThan(0);
  expect((await booksOf(h.deps.db)).holds).toMatchObject([{ is_settled: 1 }]);
});

test("whatever a host says, no more is billed than a sandbox's own cap", async () => {
  const minutes = fc.array(fc.integer({ min: 0, max: 60_000 }), { minLength: 1, maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(minutes, fc.integer({ min: 1, max: 3_000 }), async (cpu, capMicros) => {
      await clear();
      const id = await sandbox({ capMicros });
      const events = cpu.map((cpuMs, i) =>
        usageEvent(id, i + 1, { fromMs: startMs + i * minuteMs, quantities: { cpuMs } }),
      );
      await take(events.slice(0, 3));
      if (events.length > 3) await take(events.slice(3));
      const [row] = await rowsOf(h.deps.db, "SELECT * FROM holds");
      const [sheet] = await rowsOf(h.deps.db, "SELECT sheet FROM price_sheets");
      const { prices } = JSON.parse(String(sheet?.sheet));
      const cost = (from: typeof row) =>
        costMicros(
          {
            cpuMs: Number(from?.used_cpu_ms),
            memoryMiBSeconds: Number(from?.used_memory_mib_seconds),
            diskMiBSeconds: Number(from?.used_disk_mib_seconds),
            egressKiB: 0,
            pausedMiBSeconds: 0,
          },
          prices,
        );
      expect(cost(row)).toBeLessThanOrEqual(capMicros);
      const whole = costMicros(
        {
          cpuMs: cpu.reduce((a, b) => a + b, 0),
          memoryMiBSeconds: 256 * 60 * cpu.length,
          diskMiBSeconds: 1024 * 60 * cpu.length,
          egressKiB: 0,
          pausedMiBSeconds: 0,
        },
        prices,
      );
      if (whole <= capMicros) expect(cost(row)).toBe(whole);
    }),
    { numRuns: 15 },
  );
});

test("a life over midnight of a month's end is billed in both, and a closed month gets nothing more", async () => {
  const midnightMs = Date.UTC(2030, 1, 1);
  const id = await sandbox({ createdAtMs: midnightMs - 120_000 });
  const events = life(id, 4, midnightMs - 120_000);
  const months = async () => (await booksOf(h.deps.db)).months.map(({ month, cpu_ms }) => [month, cpu_ms]);
  await take(events.slice(1, 3));
  expect(await months()).toEqual([
    ["2030-01", 100],
    ["2030-02", 100],
  ]);
  const sheets = await rowsOf(h.deps.db, "SELECT month FROM price_sheets ORDER BY month");
  expect(sheets).toContainEqual({ month: "2030-02" });
  await h.deps.db.run(sql`INSERT INTO statements (tenant_id, month, body, closed_at_ms)
    VALUES (${h.tenantId}, '2030-01', '{}', 1)`);
  await take(events);
  expect(await months()).toEqual([
    ["2030-01", 100],
    ["2030-02", 300],
  ]);
  // The hour is where it was used, the month where it is billed.
  const { hours } = await booksOf(h.deps.db);
  expect(hours.map(({ hour, month }) => `${hour} ${month}`)).toEqual([
    "2030-01-31T23 2030-01",
    "2030-01-31T23 2030-02",
    "2030-02-01T00 2030-02",
  ]);
});

test("F16: a host whose clock is wrong by a year bills in the life that we know of", async () => {
  const id = await sandbox();
  await take(life(id, 2, startMs - 365 * 24 * 3_600_000));
  await take([usageEvent(await sandbox(), 1, { fromMs: startMs + 365 * 24 * 3_600_000, isFinal: true })]);
  expect((await booksOf(h.deps.db)).hours.map(({ hour }) => hour)).toEqual(["2030-01-01T10"]);
});

test("that a budget is all but spent is in the audit log, once", async () => {
  const id = await sandbox({ capMicros: 100_000 });
  const warning = { ...usageEvent(id, 1, { fromMs: startMs }), isBudgetWarning: true as const };
  await take([warning]);
  await take([warning, usageEvent(id, 2, { fromMs: startMs + minuteMs })]);
  expect(await rowsOf(h.deps.db, "SELECT tenant_id, actor, action, subject, details FROM audit")).toEqual([
    {
      tenant_id: h.tenantId,
      actor: `host:${h.host.hostId}`,
      action: "budget.warning",
      subject: id,
      details: '{"capMicros":100000}',
    },
  ]);
});

test("the sums made anew from the ledger are the sums that were there; what was wrong is put right", async () => {
  for (let i = 0; i < 5; i++) {
    const fromMs = startMs + i * 50 * minuteMs;
    await take(life(await sandbox({ createdAtMs: fromMs, lifetimeSeconds: 7200 }), 30 + i, fromMs));
  }
  const late = life(await sandbox(), 2);
  await h.deps.db.run(sql`UPDATE holds SET settled_at_ms = 1 WHERE events_seen = 0`);
  await take(late);
  const before = await booksOf(h.deps.db);
  expect(before.hours.length).toBeGreaterThan(3);
  const rebuild = () => rebuildUsage({ db: h.deps.db, now: () => startMs }, h.tenantId);
  await rebuild();
  expect(await booksOf(h.deps.db)).toEqual(before);
  await h.deps.db.run(sql`UPDATE usage_hours SET cpu_ms = 7`);
  await h.deps.db.run(sql`DELETE FROM usage_months`);
  await rebuild();
  expect(await booksOf(h.deps.db)).toEqual(before);
});

test("the ledger is kept for thirteen months and the one that goes on, and nothing of it longer", async () => {
  await take(life(await sandbox(), 3));
  const at = (year: number, month: number) =>
    settle({ db: h.deps.db, now: () => Date.UTC(year, month - 1, 28) });
  await h.deps.db.run(sql`UPDATE holds SET settled_at_ms = ${startMs}`);
  expect((await at(2031, 2)).pruned).toEqual({ events: 0, hours: 0, holds: 0 });
  expect((await at(2031, 3)).pruned).toEqual({ events: 3, hours: 1, holds: 1 });
  // What was billed is kept.
  expect((await booksOf(h.deps.db)).months).toHaveLength(1);
});
