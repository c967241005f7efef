import { sql } from "drizzle-orm";
import fc from "fast-check";
import { expect, test } from "vitest";
import { costMicros } from "#contract/price";
import { rebuildUsage } from "#worker/usage/rebuild";
import { settle } from "#worker/usage/settle";
import {
  booksOf,
  ledgerOfThisFile,
  lifeOf,
  minuteMs,
  rowsOf,
  startMs,
  usageEvent,
} from "../../support/ledger.ts";

const books = ledgerOfThisFile();

test("a hold is settled by its last missing event, and not before", async () => {
  const events = lifeOf(await books.sandbox(), 4);
  await books.take([...events.slice(0, 2), ...events.slice(3)]);
  expect((await booksOf(books.h.deps.db)).holds).toMatchObject([
    { events_seen: 3, events_expected: 4, is_settled: 0 },
  ]);
  await books.take(events.slice(2, 3));
  expect((await booksOf(books.h.deps.db)).holds).toMatchObject([{ events_seen: 4, is_settled: 1 }]);
});

test("a day after its deadline a hold is settled at what is there, and what comes then is written off", async () => {
  const events = lifeOf(await books.sandbox(), 3);
  await books.take(events.slice(0, 1));
  const at = (ms: number) => settle({ db: books.h.deps.db, now: () => startMs + ms });
  const dayMs = 24 * 3_600_000;
  expect(await at(900_000 + dayMs)).toMatchObject({ settled: 0 });
  expect(await at(900_000 + dayMs + 1)).toMatchObject({ settled: 1 });
  expect(await at(900_000 + dayMs + 2)).toMatchObject({ settled: 0 });
  const before = await booksOf(books.h.deps.db);
  await books.take(events);
  const after = await booksOf(books.h.deps.db);
  expect(after.events.map(({ is_written_off }) => is_written_off)).toEqual([0, 1, 1]);
  expect({ ...after, events: [] }).toEqual({ ...before, events: [] });
  expect(books.logged("usage_written_off")).toHaveLength(1);
});

test("whatever a host says, no more is billed than was held", async () => {
  const id = await books.sandbox({ lifetimeSeconds: 60 });
  const over = { cpuMs: 50_000, memoryMiBSeconds: 10_000, diskMiBSeconds: 1e12 };
  const events = [1, 2, 3].map((n) => usageEvent(id, n, { fromMs: startMs, quantities: over }));
  await books.take(events.slice(0, 2));
  await books.take([...events.slice(2), usageEvent(id, 4, { fromMs: startMs, seconds: 0, isFinal: true })]);
  expect((await booksOf(books.h.deps.db)).months).toMatchObject([
    { cpu_ms: 60_000, memory_mib_seconds: 256 * 60, disk_mib_seconds: 1024 * 60 },
  ]);
  expect(books.logged("usage_clamped").length).toBeGreaterThan(0);
  expect((await booksOf(books.h.deps.db)).holds).toMatchObject([{ is_settled: 1 }]);
});

test("whatever a host says, no more is billed than a sandbox's own cap", async () => {
  const minutes = fc.array(fc.integer({ min: 0, max: 60_000 }), { minLength: 1, maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(minutes, fc.integer({ min: 1, max: 3_000 }), async (cpu, capMicros) => {
      await books.clear();
      const id = await books.sandbox({ capMicros });
      const events = cpu.map((cpuMs, i) =>
        usageEvent(id, i + 1, { fromMs: startMs + i * minuteMs, quantities: { cpuMs } }),
      );
      await books.take(events.slice(0, 3));
      if (events.length > 3) await books.take(events.slice(3));
      const [row] = await rowsOf(books.h.deps.db, "SELECT * FROM holds");
      const [sheet] = await rowsOf(books.h.deps.db, "SELECT sheet FROM price_sheets");
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
  const id = await books.sandbox({ createdAtMs: midnightMs - 120_000 });
  const events = lifeOf(id, 4, midnightMs - 120_000);
  const months = async () =>
    (await booksOf(books.h.deps.db)).months.map(({ month, cpu_ms }) => [month, cpu_ms]);
  await books.take(events.slice(1, 3));
  expect(await months()).toEqual([
    ["2030-01", 100],
    ["2030-02", 100],
  ]);
  const sheets = await rowsOf(books.h.deps.db, "SELECT month FROM price_sheets ORDER BY month");
  expect(sheets).toContainEqual({ month: "2030-02" });
  await books.h.deps.db.run(sql`INSERT INTO statements (tenant_id, month, body, closed_at_ms)
    VALUES (${books.h.tenantId}, '2030-01', '{}', 1)`);
  await books.take(events);
  expect(await months()).toEqual([
    ["2030-01", 100],
    ["2030-02", 300],
  ]);
  // The hour is where it was used, the month where it is billed.
  const { hours } = await booksOf(books.h.deps.db);
  expect(hours.map(({ hour, month }) => `${hour} ${month}`)).toEqual([
    "2030-01-31T23 2030-01",
    "2030-01-31T23 2030-02",
    "2030-02-01T00 2030-02",
  ]);
});

test("that a budget is all but spent is in the audit log, once", async () => {
  const id = await books.sandbox({ capMicros: 100_000 });
  const warning = { ...usageEvent(id, 1, { fromMs: startMs }), isBudgetWarning: true as const };
  await books.take([warning]);
  await books.take([warning, usageEvent(id, 2, { fromMs: startMs + minuteMs })]);
  expect(
    await rowsOf(books.h.deps.db, "SELECT tenant_id, actor, action, subject, details FROM audit"),
  ).toEqual([
    {
      tenant_id: books.h.tenantId,
      actor: `host:${books.h.host.hostId}`,
      action: "budget.warning",
      subject: id,
      details: '{"capMicros":100000}',
    },
  ]);
});

test("the sums made anew from the ledger are the sums that were there; what was wrong is put right", async () => {
  for (let i = 0; i < 5; i++) {
    const fromMs = startMs + i * 50 * minuteMs;
    await books.take(
      lifeOf(await books.sandbox({ createdAtMs: fromMs, lifetimeSeconds: 7200 }), 30 + i, fromMs),
    );
  }
  const late = lifeOf(await books.sandbox(), 2);
  await books.h.deps.db.run(sql`UPDATE holds SET settled_at_ms = 1 WHERE events_seen = 0`);
  await books.take(late);
  const before = await booksOf(books.h.deps.db);
  expect(before.hours.length).toBeGreaterThan(3);
  const rebuild = () => rebuildUsage({ db: books.h.deps.db, now: () => startMs }, books.h.tenantId);
  await rebuild();
  expect(await booksOf(books.h.deps.db)).toEqual(before);
  await books.h.deps.db.run(sql`UPDATE usage_hours SET cpu_ms = 7`);
  await books.h.deps.db.run(sql`DELETE FROM usage_months`);
  await rebuild();
  expect(await booksOf(books.h.deps.db)).toEqual(before);
});

test("the ledger is kept for thirteen months and the one that goes on, and nothing of it longer", async () => {
  await books.take(lifeOf(await books.sandbox(), 3));
  const at = (year: number, month: number) =>
    settle({ db: books.h.deps.db, now: () => Date.UTC(year, month - 1, 28) });
  await books.h.deps.db.run(sql`UPDATE holds SET settled_at_ms = ${startMs}`);
  expect((await at(2031, 2)).pruned).toEqual({ events: 0, hours: 0, holds: 0 });
  expect((await at(2031, 3)).pruned).toEqual({ events: 3, hours: 1, holds: 1 });
  // What was billed is kept.
  expect((await booksOf(books.h.deps.db)).months).toHaveLength(1);
});
