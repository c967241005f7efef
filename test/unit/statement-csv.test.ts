import { expect, test } from "vitest";
import type { Statement } from "#contract/statement";
import { noQuantities } from "#contract/usage";
import { toCsv } from "#worker/usage/csv";

const share = { quantities: { ...noQuantities, cpuMs: 7_200_000, egressKiB: 3 }, listMicros: 100_800 };
const statement: Statement = {
  month: "2026-01",
  isDraft: false,
  closedAt: "2026-02-03T01:00:00.000Z",
  plan: "standard",
  overage: "bill",
  currency: "USD",
  lines: [
    {
      unit: "cpuMs",
      quantity: 7_200_000,
      included: 3_600_000,
      billable: 3_600_000,
      priceMicros: 50_400,
      per: 3_600_000,
      micros: 50_400,
    },
  ],
  totalMicros: 50_400,
  byTemplate: [{ template: "base", ...share }],
  byKey: [],
};
const named = (name: string) =>
  toCsv({ ...statement, byTemplate: [], byKey: [{ keyId: "k", name, ...share }] });

test("a statement as a table is RFC 4180: a header, as many cells in each line, every line ended by CRLF", () => {
  expect(toCsv(statement)).toBe(
    [
      "record,month,state,plan,id,name,unit,quantity,included,billable,price_micros,per,micros",
      "line,2026-01,closed,standard,,,cpuMs,7200000,3600000,3600000,50400,3600000,50400",
      "total,2026-01,closed,standard,,,,,,,,,50400",
      "template,2026-01,closed,standard,base,,cpuMs,7200000,,,,,",
      "template,2026-01,closed,standard,base,,egressKiB,3,,,,,",
      "template,2026-01,closed,standard,base,,,,,,,,100800",
      "",
    ].join("\r\n"),
  );
});

test.each(["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1"])(
  "%j, as the name of a key, is no formula in a spreadsheet",
  (name) => {
    const cells = [...named(name).matchAll(/closed,standard,k,("(?:[^"]|"")*"|[^,]*),/g)].map(
      ([, cell = ""]) => cell,
    );
    expect(cells).toHaveLength(3);
    for (const cell of cells) expect(cell.replace(/^"/, "")[0]).toBe("'");
  },
);

test("a name keeps its commas, quotes and line ends", () => {
  expect(named('a,"b"\nc')).toContain(',k,"a,""b""\nc",cpuMs,');
});
