import type { ApiRow } from "./api-row.ts";
import { Statement, StatementList, StatementQuery } from "./statement.ts";
import { UsageQuery, UsageSummary } from "./usage-summary.ts";

const quantities = {
  cpuMs: 90_000_000,
  memoryMiBSeconds: 184_320_000,
  diskMiBSeconds: 921_600_000,
  egressKiB: 0,
  pausedMiBSeconds: 0,
};
const share = { quantities, listMicros: 2_120_000 };
const keyId = "key_7c2b9n4t6r8hk3vq0d8m";
const closedAt = "2026-02-03T01:00:12.000Z";

const exampleStatement = {
  month: "2026-01",
  isDraft: false,
  closedAt,
  plan: "standard",
  overage: "bill",
  currency: "USD",
  lines: [
    {
      unit: "cpuMs",
      quantity: 90_000_000,
      included: 72_000_000,
      billable: 18_000_000,
      priceMicros: 50_400,
      per: 3_600_000,
      micros: 252_000,
    },
  ],
  totalMicros: 252_000,
  byTemplate: [{ template: "base", ...share }],
  byKey: [{ keyId, name: "ci", ...share }],
};

/** What was used, what may still be used, and what it costs. */
export const billingRows = {
  getUsage: {
    method: "get",
    path: "/v1/usage",
    summary: "Add up what was used, by day, template, key or label",
    scope: "usage:read",
    tokens: 5,
    query: UsageQuery,
    result: UsageSummary,
    status: 200,
    errors: [],
    example: {
      query: { from: "2026-01-01", to: "2026-02-01", groupBy: "template" },
      result: {
        from: "2026-01-01",
        to: "2026-02-01",
        groupBy: "template",
        groups: [{ group: "base", ...share }],
        total: share,
      },
    },
  },
  listStatements: {
    method: "get",
    path: "/v1/statements",
    summary: "List the statements of all months, newest first",
    scope: "usage:read",
    tokens: 5,
    result: StatementList,
    status: 200,
    errors: [],
    example: {
      result: {
        items: [
          { month: "2026-02", isDraft: true, totalMicros: 1_310 },
          { month: "2026-01", isDraft: false, closedAt, totalMicros: 252_000 },
        ],
      },
    },
  },
  getStatement: {
    method: "get",
    path: "/v1/statements/:month",
    summary: "Read the statement of a month, or `current`; a draft until it is closed",
    scope: "usage:read",
    tokens: 1,
    query: StatementQuery,
    result: Statement,
    orCsv: true,
    status: 200,
    errors: ["statement_not_found"],
    example: { params: { month: "current" }, result: exampleStatement },
  },
} as const satisfies Record<string, ApiRow>;
