import { afterEach, beforeEach, expect, test } from "vitest";
import { costMicros, worstCase } from "#contract/price";
import type { Quota } from "#contract/quota";
import { book } from "#test/support/booked-usage";
import { type Harness, harness } from "#test/support/harness";

let h: Harness;
beforeEach(async () => {
  h = await harness();
});
afterEach(() => h.close());

const quota = async (key = h.key) => (await (await h.send("GET", "/v1/quota", { key })).json()) as Quota;
const set = (sql: string, ...args: (string | number)[]) => h.database.client.execute({ sql, args });

test("says every limit with what is used and held of it, and when it is counted anew", async () => {
  await set("UPDATE tenants SET plan = 'free', overrides = '{}', monthly_cap_micros = 5000000");
  expect(await quota()).toEqual({
    plan: "free",
    concurrentSandboxes: { limit: 5, used: 0, held: 0, remaining: 5, resetsAt: null },
    concurrentRuns: { limit: 5, used: 0, held: 0, remaining: 5, resetsAt: null },
    createsPerDay: { limit: 1000, used: 0, held: 0, remaining: 1000, resetsAt: "2030-01-02T00:00:00.000Z" },
    cpuSeconds: { limit: 36_000, used: 0, held: 0, remaining: 36_000, resetsAt: "2030-02-01T00:00:00.000Z" },
    memoryGibSeconds: {
      limit: 72_000,
      used: 0,
      held: 0,
      remaining: 72_000,
      resetsAt: "2030-02-01T00:00:00.000Z",
    },
    storedBytes: { limit: 104_857_600, used: 0, held: 0, remaining: 104_857_600, resetsAt: null },
    budget: {
      tenant: {
        capMicros: 5_000_000,
        spentMicros: 0,
        heldMicros: 0,
        remainingMicros: 5_000_000,
        resetsAt: "2030-02-01T00:00:00.000Z",
      },
      key: {
        capMicros: null,
        spentMicros: 0,
        heldMicros: 0,
        remainingMicros: null,
        resetsAt: "2030-02-01T00:00:00.000Z",
      },
    },
    rates: {
      control: { perSecond: 20, burst: 40 },
      data: { perSecond: 100, burst: 200 },
      create: { perSecond: 5, burst: 25 },
    },
  });
});

test("counts what is held for live sandboxes, as admission does: what remains is what is still admitted", async () => {
  const size = { cpu: 1, memoryMiB: 256, diskMiB: 1024 };
  const { rows } = await set("SELECT sheet FROM tenant_plans WHERE tenant_id = ?", h.tenantId);
  const { prices } = JSON.parse(String(rows[0]?.sheet));
  const costOf = (count: number) => costMicros(worstCase(size, count * 900), prices);
  await set("UPDATE keys SET monthly_cap_micros = ? WHERE id = ?", costOf(3), h.id);
  await h.create();
  await h.create();
  const before = await quota();
  expect(before.concurrentSandboxes).toMatchObject({ used: 2, remaining: 8 });
  expect(before.createsPerDay).toMatchObject({ used: 2 });
  expect(before.cpuSeconds).toMatchObject({ limit: null, used: 0, held: 1_800, remaining: null });
  expect(before.memoryGibSeconds).toMatchObject({ used: 0, held: 450 });
  expect(before.budget.key).toMatchObject({
    spentMicros: 0,
    heldMicros: costOf(2),
    remainingMicros: costOf(3) - costOf(2),
  });
  // The tenant's own is held past what is included, which is more than this.
  expect(before.budget.tenant).toMatchObject({ capMicros: null, spentMicros: 0, heldMicros: 0 });
  await h.create();
  expect((await quota()).budget.key.remainingMicros).toBe(0);
  const refused = await h.send("POST", "/v1/sandboxes", { key: h.key, json: {} });
  expect(refused.status).toBe(402);
});

test("counts what was used in this month, and of what is included first", async () => {
  await set("UPDATE tenants SET plan = 'standard', overrides = '{}', monthly_cap_micros = 100000");
  const used = { cpuMs: 360_000_000 + 3_600_001, memoryMiBSeconds: 1 };
  await book(h.database.client, { tenantId: h.tenantId, keyId: h.id, hour: "2030-01-01T00", used });
  await book(h.database.client, { tenantId: h.tenantId, keyId: h.id, hour: "2029-12-31T00", used });
  const now = await quota();
  expect(now.cpuSeconds).toMatchObject({ used: 363_601, held: 0 });
  expect(now.memoryGibSeconds).toMatchObject({ used: 1 });
  expect(now.budget.tenant).toMatchObject({ spentMicros: 50_401, heldMicros: 0, remainingMicros: 49_599 });
  expect(now.budget.key.spentMicros).toBe(5_040_000 + 50_401 + 1);
});

test("is one read", async () => {
  await h.create();
  await quota();
  h.database.takeCount();
  await quota();
  expect(h.database.takeCount()).toBe(1);
});
