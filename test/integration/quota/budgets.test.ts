import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { limits } from "#contract/limits";
import { Quote } from "#contract/quote";
import { Sandbox } from "#contract/sandbox";
import { allow, allowBare, moneyOf } from "#test/support/books-of-money";
import { type Harness, harness } from "#test/support/harness";
import { expectProblem } from "#test/support/problem";
import { AppError } from "#worker/errors";

let h: Harness;
beforeEach(async () => {
  h = await harness({ maxSandboxes: 10 });
});
afterEach(() => h.close());

const post = (json: unknown, path = "/v1/sandboxes") => h.send("POST", path, { key: h.key, json });
const patch = (id: string, json: unknown) => h.send("PATCH", `/v1/sandboxes/${id}`, { key: h.key, json });
const books = () => moneyOf(h, h.tenantId);
const quoteOf = async (json: unknown, path = "/v1/sandboxes") => {
  const answer = await post(json, `${path}?quote=true`);
  expect(answer.status).toBe(200);
  return Quote.parse(await answer.json());
};
const withoutFree = (change: Parameters<typeof allow>[2]) => allowBare(h, h.tenantId, change);

test("a create holds its worst case, a quote says it to the micro-dollar, and does nothing", async () => {
  await withoutFree({});
  const { holdMicros, listMicros, fits, quantities } = await quoteOf({ lifetimeSeconds: 600 });
  expect(quantities).toMatchObject({ cpuMs: 600_000, memoryMiBSeconds: 153_600, diskMiBSeconds: 614_400 });
  // 600 s of a core at 50,400 an hour, of a quarter GiB at 16,200, of a GiB of disk at 200.
  expect([holdMicros, listMicros, fits]).toEqual([8_400 + 675 + 34, 8_400 + 675 + 34, true]);
  expect(await books()).toEqual({ holds: 0, slots: 0, creates: 0 });
  const { rows } = await h.database.client.execute("SELECT count(*) AS n FROM price_sheets");
  expect([rows[0]?.n, h.provider.calls]).toEqual([0, []]);
  await h.create({ lifetimeSeconds: 600 });
  expect(await books()).toEqual({ holds: 1, slots: 1, creates: 1 });
});

test("what is included is free, and an hour costs what an hour costs", async () => {
  await allow(h, h.tenantId, { plan: "standard" });
  expect(await quoteOf({ lifetimeSeconds: 3600 })).toMatchObject({
    holdMicros: 0,
    listMicros: 50_400 + 4_050 + 200,
    perHourMicros: 50_400 + 4_050 + 200,
  });
  const batch = await quoteOf({ lifetimeSeconds: 3600, count: 4 }, "/v1/sandboxes/batch");
  expect(batch.perHourMicros).toBe(4 * (50_400 + 4_050 + 200));
  const run = await quoteOf({ command: "echo", timeoutMs: 1_000 }, "/v1/runs");
  expect(run.quantities.cpuMs).toBe(82_000);
});

describe("a budget of the tenant", () => {
  test("is refused past its last micro-dollar, with the longest life that fits", async () => {
    const { holdMicros } = await quoteOf({ lifetimeSeconds: 600 });
    await withoutFree({ capMicros: 2 * 9_109 + 100 });
    expect(holdMicros).toBe(0);
    await h.create({ lifetimeSeconds: 600 });
    await h.create({ lifetimeSeconds: 600 });
    const problem = await expectProblem(await post({ lifetimeSeconds: 600 }), 402, "budget_exceeded");
    const { limit, spent, held, needed, cap, longestLifetimeSeconds } = problem.facts ?? {};
    expect({ limit, spent, cap }).toEqual({ limit: 18_318, spent: 0, cap: "tenant" });
    expect(Number(held) + Number(needed)).toBeGreaterThan(18_318);
    expect(longestLifetimeSeconds).toBe(0);
    expect((await quoteOf({ lifetimeSeconds: 600 })).refusal).toMatchObject({
      code: "budget_exceeded",
      status: 402,
    });
    await allow(h, h.tenantId, { plan: "bare", capMicros: 20_000 });
    const longer = await expectProblem(await post({ lifetimeSeconds: 600 }), 402, "budget_exceeded");
    const longest = Number(longer.facts?.longestLifetimeSeconds);
    expect((await post({ lifetimeSeconds: longest + 1 })).status).toBe(402);
    await h.create({ lifetimeSeconds: longest });
  });

  test("of exactly ten holds lets exactly ten of sixty in, in one process", async () => {
    await withoutFree({ capMicros: 91_090, limits: { concurrentSandboxes: 100 } });
    const answers = await Promise.all(Array.from({ length: 60 }, () => post({ lifetimeSeconds: 600 })));
    const made = answers.filter(({ status }) => status === 201).length;
    expect([made, answers.filter(({ status }) => status === 402).length]).toEqual([10, 50]);
    expect([h.provider.held.size, await books()]).toEqual([10, { holds: 10, slots: 10, creates: 10 }]);
  });

  test("is seen at once, though the key's cache takes the tenant for one without a budget", async () => {
    await withoutFree({});
    await h.create();
    await withoutFree({ capMicros: 1 });
    await expectProblem(await post({}), 402, "budget_exceeded");
  });

  test("has a batch as a whole or not at all", async () => {
    await withoutFree({ capMicros: 2 * 9_110 });
    const asked = { lifetimeSeconds: 600, count: 3 };
    await expectProblem(await post(asked, "/v1/sandboxes/batch"), 402, "budget_exceeded");
    expect(await books()).toEqual({ holds: 0, slots: 0, creates: 0 });
    expect((await post({ ...asked, count: 2 }, "/v1/sandboxes/batch")).status).toBe(201);
    expect(await books()).toEqual({ holds: 2, slots: 2, creates: 2 });
  });

  test("counts what was used in this month, and not what was used in the last", async () => {
    await withoutFree({ capMicros: 10_000 });
    const used = (month: string) =>
      h.database.client.execute({
        sql: "INSERT INTO usage_months VALUES (?, ?, ?, 600000, 0, 0, 0, 0)",
        args: [h.tenantId, month, h.id],
      });
    await used("2029-12");
    expect((await quoteOf({ lifetimeSeconds: 600 })).fits).toBe(true);
    await used("2030-01");
    const problem = await expectProblem(await post({ lifetimeSeconds: 600 }), 402, "budget_exceeded");
    expect(problem.facts).toMatchObject({ spent: 8_400, held: 0, resetsAt: "2030-02-01T00:00:00.000Z" });
  });
});

test("a budget of a key is one more, at list prices", async () => {
  await allow(h, h.tenantId, { plan: "standard", limits: {} });
  await h.database.client.execute({
    sql: "UPDATE keys SET monthly_cap_micros = 9500 WHERE id = ?",
    args: [h.id],
  });
  await h.create({ lifetimeSeconds: 600 });
  const problem = await expectProblem(await post({ lifetimeSeconds: 600 }), 402, "budget_exceeded");
  expect(problem.facts).toMatchObject({ cap: "key", limit: 9_500, held: 9_109 });
});

describe("quotas", () => {
  test.each([
    ["createsPerDay", { createsPerDay: 1 }, "2030-01-02T00:00:00.000Z"],
    ["cpuSecondsPerMonth", { cpuSecondsPerMonth: 1_000 }, "2030-02-01T00:00:00.000Z"],
    ["memoryGibSecondsPerMonth", { memoryGibSecondsPerMonth: 300 }, "2030-02-01T00:00:00.000Z"],
  ])("%s refuses what is past it, and says when it begins anew", async (quota, limits, resetsAt) => {
    await allow(h, h.tenantId, { limits });
    await h.create({ lifetimeSeconds: 900 });
    const problem = await expectProblem(await post({ lifetimeSeconds: 900 }), 429, "quota_exceeded");
    expect(problem.facts).toMatchObject({ quota, limit: Object.values(limits)[0], resetsAt });
  });

  test("a plan that sells no more than what it includes holds to it", async () => {
    await allow(h, h.tenantId, { plan: "free", limits: { concurrentSandboxes: 100 } });
    for (let hour = 0; hour < 10; hour++) await h.create({ lifetimeSeconds: 3600 });
    const problem = await expectProblem(await post({ lifetimeSeconds: 60 }), 429, "quota_exceeded");
    expect(problem.facts).toMatchObject({ quota: "cpuSecondsPerMonth", used: 0, held: 36_000 });
  });

  test("runs at once and what is kept of them", async () => {
    await allow(h, h.tenantId, { limits: { concurrentRuns: 0 } });
    const none = await expectProblem(await post({ command: "echo" }, "/v1/runs"), 429, "quota_exceeded");
    expect(none.facts).toMatchObject({ quota: "concurrentRuns", limit: 0, used: 0 });
    await allow(h, h.tenantId, { limits: { storedBytes: 2 * limits.runOutputMaxBytes + 5 } });
    expect((await post({ command: "echo grüße" }, "/v1/runs?wait=10")).status).toBe(200);
    await h.settled();
    const full = await expectProblem(await post({ command: "echo" }, "/v1/runs"), 429, "quota_exceeded");
    expect(full.facts).toMatchObject({ quota: "storedBytes", used: 8, held: 0 });
    await h.database.client.execute("DELETE FROM runs");
    expect((await post({ command: "echo" }, "/v1/runs?wait=10")).status).toBe(200);
  });

  test("the size and the life of a sandbox", async () => {
    await allow(h, h.tenantId, { plan: "free" });
    for (const [asked, limit] of [
      [{ cpu: 2 }, 1],
      [{ memoryMiB: 2048 }, 1024],
      [{ diskMiB: 4096 }, 2048],
      [{ lifetimeSeconds: 3601 }, 3600],
    ] as const) {
      const problem = await expectProblem(await post(asked), 403, "limit_exceeded");
      expect(problem.facts).toMatchObject({
        field: Object.keys(asked)[0],
        limit,
        asked: Object.values(asked)[0],
      });
    }
    const { id } = await h.create();
    await expectProblem(await patch(id, { lifetimeSeconds: 3601 }), 403, "limit_exceeded");
    expect((await books()).creates).toBe(1);
  });
});

describe("a budget of its own", () => {
  const budget = { capMicros: 500 };

  test("is what is held, is shown, and is told to the host with the prices", async () => {
    await withoutFree({ capMicros: 1_000 });
    const sandbox = await h.create({ lifetimeSeconds: 600, budget });
    expect(sandbox.budget).toEqual(budget);
    expect([...h.provider.held.values()][0]?.spec.budget).toMatchObject({
      capMicros: 500,
      prices: { cpuHourMicros: 50_400 },
    });
    expect(await quoteOf({ lifetimeSeconds: 600, budget })).toMatchObject({ holdMicros: 500, fits: true });
    await h.create({ lifetimeSeconds: 600, budget });
    const problem = await expectProblem(await post({ lifetimeSeconds: 600, budget }), 402, "budget_exceeded");
    expect(problem.facts).toMatchObject({ held: 1_000, needed: 500 });
    expect((await quoteOf({ lifetimeSeconds: 10, budget: { capMicros: 1_000_000 } })).holdMicros).toBe(
      152 + 1,
    );
  });

  test("is a run's too", async () => {
    await withoutFree({ capMicros: 400 });
    await expectProblem(await post({ command: "echo" }, "/v1/runs?wait=5"), 402, "budget_exceeded");
    expect((await post({ command: "echo", budget: { capMicros: 300 } }, "/v1/runs?wait=5")).status).toBe(200);
  });

  test("can be raised as far as there is room, and not lowered", async () => {
    await withoutFree({ capMicros: 1_000 });
    const { id } = await h.create({ lifetimeSeconds: 600, budget });
    const raised = Sandbox.parse(await (await patch(id, { budget: { capMicros: 1_000 } })).json());
    expect(raised.budget).toEqual({ capMicros: 1_000 });
    expect([...h.provider.held.values()][0]?.spec.budget?.capMicros).toBe(1_000);
    await expectProblem(await patch(id, { budget: { capMicros: 1_001 } }), 402, "budget_exceeded");
    await expectProblem(await patch(id, { budget: { capMicros: 999 } }), 400, "invalid_request");
    expect((await h.read(id)).budget).toEqual({ capMicros: 1_000 });
  });

  test("cannot be given to a sandbox that was made without one", async () => {
    const { id } = await h.create();
    await expectProblem(await patch(id, { budget }), 400, "invalid_request");
  });
});

describe("a life that is changed", () => {
  const heldMs = async () =>
    Number((await h.database.client.execute("SELECT sum(cpu_ms) AS n FROM holds")).rows[0]?.n);

  test("takes its hold along, and is refused where that does not fit", async () => {
    await withoutFree({ capMicros: 10_000 });
    const { id } = await h.create({ lifetimeSeconds: 300 });
    expect((await patch(id, { lifetimeSeconds: 600 })).status).toBe(200);
    expect(await heldMs()).toBe(600_000);
    const problem = await expectProblem(await patch(id, { lifetimeSeconds: 700 }), 402, "budget_exceeded");
    const longest = Number(problem.facts?.longestLifetimeSeconds);
    expect([await heldMs(), (await h.read(id)).lifetimeSeconds]).toEqual([600_000, 600]);
    await expectProblem(await patch(id, { lifetimeSeconds: longest + 1 }), 402, "budget_exceeded");
    expect((await patch(id, { lifetimeSeconds: longest })).status).toBe(200);
    expect((await patch(id, { lifetimeSeconds: 60, metadata: { a: "b" } })).status).toBe(200);
    expect(await heldMs()).toBe(60_000);
    const { rows } = await h.database.client.execute("SELECT metadata, expires_at_ms FROM holds");
    expect(rows[0]).toMatchObject({ metadata: '{"a":"b"}', expires_at_ms: h.clock.now() + 60_000 });
  });

  test("never holds less than what was metered", async () => {
    const { id } = await h.create({ lifetimeSeconds: 300 });
    await h.database.client.execute("UPDATE holds SET used_cpu_ms = 250000, events_seen = 1");
    h.clock.advance(50_000);
    expect((await patch(id, { lifetimeSeconds: 60 })).status).toBe(200);
    expect(await heldMs()).toBe(250_000);
  });

  test("of a sandbox from before there were holds is changed as ever", async () => {
    const { id } = await h.create({ lifetimeSeconds: 300 });
    await h.database.client.execute("DELETE FROM holds");
    expect((await patch(id, { lifetimeSeconds: 600 })).status).toBe(200);
  });
});

test("a tenant that was suspended a moment ago makes nothing more, though its key is still in the cache", async () => {
  await h.create();
  await h.database.client.execute("UPDATE tenants SET suspended_at_ms = 1");
  await expectProblem(await post({}), 403, "forbidden");
  await expectProblem(await post({ command: "echo" }, "/v1/runs"), 403, "forbidden");
  expect((await books()).holds).toBe(1);
});

test("what no host took is given back whole: slot, hold and the place in the day", async () => {
  h.provider.failNext("create", new AppError("no_capacity", "full"));
  await expectProblem(await post({}), 503, "no_capacity");
  expect(await books()).toEqual({ holds: 0, slots: 0, creates: 0 });
});

test("each change has one entry in the audit, under who made it", async () => {
  const { id } = await h.create();
  await patch(id, { lifetimeSeconds: 1200 });
  await h.send("DELETE", `/v1/sandboxes/${id}`, { key: h.key });
  await post({ command: "echo" }, "/v1/runs?wait=10");
  await h.settled();
  const { rows } = await h.database.client.execute(
    "SELECT action, subject, actor, details FROM audit WHERE action NOT LIKE 'tenant%' AND action NOT LIKE 'key%' ORDER BY sequence",
  );
  expect(rows.map(({ action }) => action)).toEqual([
    "sandbox.created",
    "sandbox.changed",
    "sandbox.ended",
    "run.created",
    "sandbox.created",
    "run.ended",
    "sandbox.ended",
  ]);
  expect(new Set(rows.map(({ actor }) => actor))).toEqual(new Set([`key:${h.id}`]));
  expect(rows[2]).toMatchObject({ subject: id, details: '{"reason":"killed"}' });
});
