import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Statement, StatementList } from "#contract/statement";
import { noQuantities, type Quantities } from "#contract/usage";
import { type Booked, book } from "#test/support/booked-usage";
import { type Harness, harness, problemOf } from "#test/support/harness";
import { runSweep } from "#worker/jobs";
import { addUp } from "#worker/usage/bill";
import { closeAfterMs, closeMonths, lastMonthDue } from "#worker/usage/close";
import { statementOf } from "#worker/usage/statement";
import { closeStatements, monthParts, tenantsToClose } from "#worker/usage/statement-store";

const hourMs = 3_600_000;
const hourOfCpu = { cpuMs: hourMs };
/** Of the plan `standard`: 100 hours of processor time are included, an hour costs 50,400 micros. */
const included = { cpuMs: 360_000_000 };

let h: Harness;
let me: Pick<Booked, "tenantId" | "keyId">;
beforeEach(async () => {
  h = await harness();
  h.clock.advance(Date.parse("2026-03-15T12:00:00Z") - h.clock.now());
  await h.database.client.execute("UPDATE tenants SET plan = 'standard'");
  me = { tenantId: h.tenantId, keyId: h.id };
});
afterEach(() => h.close());

const advanceTo = (time: string) => h.clock.advance(Date.parse(time) - h.clock.now());
const use = (hour: string, used: Partial<Quantities>, over: Partial<Booked> = {}) =>
  book(h.database.client, { ...me, hour, used, ...over });
const get = (path: string, key = h.key) => h.send("GET", path, { key });
const statementFor = async (month: string) =>
  (await (await get(`/v1/statements/${month}`)).json()) as Statement;
const list = async () => ((await (await get("/v1/statements")).json()) as StatementList).items;

describe("a statement", () => {
  test("is a draft of what there is by now, with included amounts applied", async () => {
    await use("2026-03-01T00", included);
    await use("2026-03-15T11", { ...hourOfCpu, memoryMiBSeconds: 1024 });
    expect(await statementFor("2026-03")).toMatchObject({
      month: "2026-03",
      isDraft: true,
      plan: "standard",
      totalMicros: 50_400,
      lines: expect.arrayContaining([
        {
          unit: "cpuMs",
          quantity: 363_600_000,
          included: 360_000_000,
          billable: 3_600_000,
          priceMicros: 50_400,
          per: 3_600_000,
          micros: 50_400,
        },
        expect.objectContaining({ unit: "memoryMiBSeconds", quantity: 1024, billable: 0, micros: 0 }),
      ]),
      byTemplate: [{ template: "base" }],
      byKey: [{ keyId: h.id, name: "test" }],
    });
  });

  test("of a month that has begun and is not used is empty; of any other month there is none", async () => {
    for (const month of ["2026-03", "current"]) {
      const empty = { month: "2026-03", isDraft: true, totalMicros: 0, byTemplate: [] };
      expect(await statementFor(month)).toMatchObject(empty);
    }
    for (const month of ["2026-02", "2026-04", "2026-13", "now", "..%2f2026-03"]) {
      const response = await get(`/v1/statements/${month}`);
      expect([month, response.status]).toEqual([month, 404]);
      expect((await problemOf(response)).code).toBe("statement_not_found");
    }
  });

  test("is billed by the prices of the month's first use, whatever the plan has become", async () => {
    await h.database.client.execute({
      sql: `INSERT INTO price_sheets SELECT tenant_id, '2026-03', json_set(sheet, '$.prices.cpuHourMicros', 1000)
        FROM tenant_plans WHERE tenant_id = ?`,
      args: [h.tenantId],
    });
    await use("2026-03-01T00", { cpuMs: included.cpuMs + hourMs });
    expect((await statementFor("2026-03")).totalMicros).toBe(1_000);
  });

  test("is one tenant's own", async () => {
    await use("2026-03-01T00", { cpuMs: 2 * included.cpuMs });
    const other = await h.tenant("other");
    const response = await get("/v1/statements/2026-03", other.key);
    expect(await response.json()).toMatchObject({ totalMicros: 0, byKey: [] });
  });

  test("as a table is asked for by the query, or by what the client accepts", async () => {
    await use("2026-03-01T00", hourOfCpu);
    const headers = { accept: "text/csv" };
    const byHeader = await h.send("GET", "/v1/statements/2026-03", { key: h.key, headers });
    const byQuery = await get("/v1/statements/2026-03?format=csv");
    expect(byHeader.headers.get("content-type")).toBe("text/csv; charset=utf-8; header=present");
    const table = await byHeader.text();
    expect(table.split("\r\n")[0]).toMatch(/^record,month,/);
    expect(await byQuery.text()).toBe(table);
    const json = await h.send("GET", "/v1/statements/2026-03?format=json", { key: h.key, headers });
    expect(json.headers.get("content-type")).toBe("application/json");
  });
});

describe("a month", () => {
  const closed = async (month: string) => {
    const { rows } = await h.database.client.execute({
      sql: "SELECT * FROM statements WHERE month = ?",
      args: [month],
    });
    return rows;
  };

  test("is closed 49 hours after its end, once, and says the same for ever", async () => {
    await use("2026-03-31T23", { cpuMs: included.cpuMs + hourMs });
    h.clock.advance(Date.parse("2026-04-01T00:00:00Z") + closeAfterMs - 1 - h.clock.now());
    await runSweep(h.deps);
    expect(await statementFor("2026-03")).toMatchObject({ isDraft: true });
    h.clock.advance(1);
    await runSweep(h.deps);
    const first = await (await get("/v1/statements/2026-03")).text();
    expect(JSON.parse(first)).toMatchObject({
      isDraft: false,
      closedAt: "2026-04-03T01:00:00.000Z",
      totalMicros: 50_400,
    });
    await use("2026-03-31T23", hourOfCpu);
    await h.database.client.execute("UPDATE tenants SET plan = 'scale'");
    advanceTo("2026-06-15T00:00:00Z");
    await runSweep(h.deps);
    expect(await (await get("/v1/statements/2026-03")).text()).toBe(first);
    expect(await closed("2026-03")).toHaveLength(1);
  });

  test("that is closed cannot be changed, deleted or replaced by any statement of ours", async () => {
    await use("2026-03-31T23", hourOfCpu);
    advanceTo("2026-04-15T00:00:00Z");
    await runSweep(h.deps);
    const before = await closed("2026-03");
    const run = (sql: string) => h.database.client.execute(sql);
    await expect(run("UPDATE statements SET body = '{}'")).rejects.toThrow("does not change");
    await expect(run("DELETE FROM statements")).rejects.toThrow("is kept");
    await run(`INSERT OR REPLACE INTO statements SELECT tenant_id, month, '{}', 0 FROM statements`);
    expect(await closed("2026-03")).toEqual(before);
  });

  test("is closed for each tenant who used something, in the order of months, and noted in the audit", async () => {
    const other = await h.tenant("other");
    await use("2026-02-01T00", hourOfCpu);
    await use("2026-03-01T00", hourOfCpu);
    await use("2026-03-01T00", hourOfCpu, { tenantId: other.tenantId, keyId: other.id });
    advanceTo("2026-04-15T00:00:00Z");
    expect(await closeMonths(h.deps)).toBe(1);
    expect(await closeMonths(h.deps)).toBe(2);
    expect(await closeMonths(h.deps)).toBe(0);
    expect((await list()).map(({ month, isDraft }) => [month, isDraft])).toEqual([
      ["2026-04", true],
      ["2026-03", false],
      ["2026-02", false],
    ]);
    const { rows } = await h.database.client.execute(
      "SELECT actor, subject FROM audit WHERE action = 'statement.closed' ORDER BY sequence",
    );
    expect(rows.map((row) => ({ ...row }))).toEqual(
      ["2026-02", "2026-03", "2026-03"].map((subject) => ({ actor: "system", subject })),
    );
  });

  test("in which a tenant is billed for the first time after it was closed for all others is closed again", async () => {
    await use("2026-02-01T00", hourOfCpu);
    advanceTo("2026-04-15T00:00:00Z");
    expect(await closeMonths(h.deps)).toBe(1);
    expect(await closeMonths(h.deps)).toBe(0);
    const other = await h.tenant("late");
    await use("2026-02-01T00", hourOfCpu, { tenantId: other.tenantId, keyId: other.id });
    expect(await closeMonths(h.deps)).toBe(1);
    expect(await closeMonths(h.deps)).toBe(0);
  });

  test("whose usage has grown since it was added up is not closed, but by the next sweep with all of it", async () => {
    await use("2026-03-01T00", hourOfCpu);
    advanceTo("2026-04-15T00:00:00Z");
    const { db } = h.deps;
    const [due] = await tenantsToClose(db, "2026-03", 10);
    const parts = await monthParts(db, h.tenantId, "2026-03");
    if (!due) throw new Error("Nothing is due.");
    const stale = { tenantId: h.tenantId, ...statementOf("2026-03", parts, due.sheet) };
    await use("2026-03-31T23", { diskMiBSeconds: 1 });
    expect(await closeStatements(db, "2026-03", [stale], 0)).toBe(0);
    expect(await closed("2026-03")).toEqual([]);
    expect(await closeMonths(h.deps)).toBe(1);
    expect(addUp((await statementFor("2026-03")).byKey)).toEqual({
      ...noQuantities,
      ...hourOfCpu,
      diskMiBSeconds: 1,
    });
  });

  test("is closed by the next sweep when the database went away in the middle of it", async () => {
    await use("2026-03-01T00", hourOfCpu);
    advanceTo("2026-04-15T00:00:00Z");
    h.database.beAwayFor(1, /INTO statements/);
    await expect(closeMonths(h.deps)).rejects.toMatchObject({ code: "unavailable" });
    expect(await closed("2026-03")).toEqual([]);
    expect(await closeMonths(h.deps)).toBe(1);
  });

  test("is closed once by two sweeps at once", async () => {
    await use("2026-03-01T00", hourOfCpu);
    advanceTo("2026-04-15T00:00:00Z");
    const counts = await Promise.all([closeMonths(h.deps), closeMonths(h.deps), closeMonths(h.deps)]);
    expect(counts.sort()).toEqual([0, 0, 1]);
    const { rows } = await h.database.client.execute("SELECT 1 FROM audit WHERE action = 'statement.closed'");
    expect(rows).toHaveLength(1);
  });

  test("that one tenant has no prices for is closed for all others, and so are the next ones", async () => {
    const other = await h.tenant("unpriced");
    await h.database.client.execute({
      sql: "UPDATE tenants SET plan = 'nowhere' WHERE id = ?",
      args: [other.tenantId],
    });
    for (const month of ["2026-02", "2026-03"]) await use(`${month}-01T00`, hourOfCpu);
    await use("2026-02-01T00", hourOfCpu, { tenantId: other.tenantId, keyId: other.id });
    advanceTo("2026-04-15T00:00:00Z");
    expect([await closeMonths(h.deps), await closeMonths(h.deps)]).toEqual([1, 1]);
    expect([await closed("2026-02"), await closed("2026-03")].map(({ length }) => length)).toEqual([1, 1]);
    const logged = h.events.filter(({ event }) => event === "month_without_prices");
    expect(logged).toMatchObject([{ level: "error", month: "2026-02", ids: [other.tenantId] }]);
    await h.database.client.execute("UPDATE tenants SET plan = 'standard'");
    expect(await closeMonths(h.deps)).toBe(1);
    expect(await closed("2026-02")).toHaveLength(2);
  });

  test("is closed though another step of the sweep has failed, which is logged", async () => {
    await use("2026-03-01T00", hourOfCpu);
    advanceTo("2026-04-15T00:00:00Z");
    h.database.beAwayFor(100, /removal_began_at_ms/);
    await runSweep(h.deps);
    expect(await closed("2026-03")).toHaveLength(1);
    expect(h.events.filter(({ event }) => event === "sweep")).toMatchObject([
      { level: "error", step: "tenants", cause: expect.anything() },
      { level: "debug", removedTenants: "failed", closed: 1 },
    ]);
  });

  test("F16: a clock an hour off closes no month that has not ended two days ago", () => {
    fc.assert(
      fc.property(fc.integer({ min: Date.UTC(2026, 0), max: Date.UTC(2036, 0) }), (nowMs) => {
        const due = lastMonthDue(nowMs + hourMs);
        const [year = 0, month = 0] = due.split("-").map(Number);
        expect(nowMs - Date.UTC(year, month)).toBeGreaterThanOrEqual(2 * 24 * hourMs);
        expect(nowMs - Date.UTC(year, month + 1)).toBeLessThan(closeAfterMs);
      }),
    );
  });
});
