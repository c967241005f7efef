import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Statement } from "#contract/statement";
import { noQuantities, type Quantities } from "#contract/usage";
import type { UsageSummary } from "#contract/usage-summary";
import { type Booked, book } from "#test/support/booked-usage";
import { type Harness, harness, problemOf } from "#test/support/harness";
import { addUp } from "#worker/usage/bill";
import { usageSummary } from "#worker/usage/summary";

const hourMs = 3_600_000;
const hourOfCpu = { cpuMs: hourMs };

let h: Harness;
let me: Pick<Booked, "tenantId" | "keyId">;
beforeEach(async () => {
  h = await harness();
  h.clock.advance(Date.parse("2026-03-15T12:00:00Z") - h.clock.now());
  await h.database.client.execute("UPDATE tenants SET plan = 'standard'");
  me = { tenantId: h.tenantId, keyId: h.id };
});
afterEach(() => h.close());

const use = (hour: string, used: Partial<Quantities>, over: Partial<Booked> = {}) =>
  book(h.database.client, { ...me, hour, used, ...over });
const get = (path: string, key = h.key) => h.send("GET", path, { key });
const statementFor = async (month: string) =>
  (await (await get(`/v1/statements/${month}`)).json()) as Statement;
const usageOf = async (query: string) => (await (await get(`/v1/usage?${query}`)).json()) as UsageSummary;

describe("usage", () => {
  test("adds up by day, template, key and label, in any way to the sums of the statement", async () => {
    const other = "key_00000000000000000000" as Booked["keyId"];
    await use("2026-03-01T00", { cpuMs: 5, memoryMiBSeconds: 100 }, { metadata: { team: "a" } });
    await use("2026-03-01T23", { cpuMs: 7_000_000_000 }, { metadata: { team: "b", 'we"ird.': "x" } });
    await use("2026-03-02T00", { diskMiBSeconds: 3 }, { template: "node", keyId: other });
    await use("2026-03-02T00", { cpuMs: 1_000 }, { isWrittenOff: true });
    // Late: it was used in February and is billed in March.
    await use("2026-02-28T23", { egressKiB: 9 }, { month: "2026-03", metadata: { team: "a" } });
    const { lines } = await statementFor("2026-03");
    const billed = Object.fromEntries(lines.map(({ unit, quantity }) => [unit, quantity]));
    const groups: Record<string, (string | null)[]> = {
      day: ["2026-02-28", "2026-03-01", "2026-03-02"],
      template: ["base", "node"],
      key: [h.id, other],
      "metadata.team": ["b", "a", null],
      'metadata.we"ird.': ["x", null],
    };
    for (const [groupBy, names] of Object.entries(groups)) {
      const usage = await usageOf(String(new URLSearchParams({ groupBy, month: "2026-03" })));
      expect([groupBy, usage.groups.map(({ group }) => group)]).toEqual([groupBy, names]);
      expect(usage.total.quantities).toEqual(billed);
      expect(addUp(usage.groups)).toEqual(billed);
      expect(usage.total.listMicros).toBe(98_000_000);
    }
    expect(await usageOf("")).toMatchObject({ month: "2026-03", groupBy: "day" });
  });

  test("of days is what was used in them, whatever month it is billed in, each at its month's price", async () => {
    await h.database.client.execute({
      sql: `INSERT INTO price_sheets SELECT tenant_id, '2026-02', json_set(sheet, '$.prices.cpuHourMicros', 1000)
        FROM tenant_plans WHERE tenant_id = ?`,
      args: [h.tenantId],
    });
    await use("2026-02-28T23", hourOfCpu);
    await use("2026-02-28T23", hourOfCpu, { month: "2026-03" });
    await use("2026-03-01T00", hourOfCpu);
    const usage = await usageOf("from=2026-02-28&to=2026-03-01");
    expect(usage).toMatchObject({ from: "2026-02-28", to: "2026-03-01" });
    expect(usage.groups).toEqual([
      { group: "2026-02-28", quantities: { ...noQuantities, cpuMs: 2 * hourMs }, listMicros: 51_400 },
    ]);
  });

  test.each([
    ["from=2026-03-01", "to"],
    ["from=2026-03-02&to=2026-03-02", "after"],
    ["from=2025-01-01&to=2026-03-02", "400 days"],
    ["from=2026-01-01&to=2026-02-02&groupBy=metadata.a", "31 by a label"],
    ["from=2026-02-30&to=2026-03-02", "must be a day"],
    ["month=2026-03&from=2026-03-01&to=2026-03-02", "a month, or days"],
    ["groupBy=sandbox", "must be day, template"],
    ["groupBy=metadata.", "must be day, template"],
  ])("of %s is refused in words", async (query, words) => {
    const response = await get(`/v1/usage?${query}`);
    expect(response.status).toBe(400);
    expect(JSON.stringify(await problemOf(response))).toContain(words);
  });

  test("that would take too long to add up is refused in words", async () => {
    const ask = (usageRowsMax: number, groupBy: string) =>
      usageSummary({ ...h.deps, usageRowsMax }, h, { groupBy });
    await use("2026-03-01T00", hourOfCpu);
    await use("2026-03-01T01", hourOfCpu);
    for (const groupBy of ["day", "metadata.team"]) {
      expect((await ask(2, groupBy)).total.quantities.cpuMs).toBe(2 * hourMs);
      await expect(ask(1, groupBy)).rejects.toMatchObject({
        code: "invalid_request",
        message: expect.stringContaining("fewer days"),
      });
    }
  });
});
