import { csvType, type Statement } from "#contract/statement";
import { quotaReport } from "../quota/report.ts";
import { toCsv } from "../usage/csv.ts";
import { getStatement, listStatements } from "../usage/statement.ts";
import { usageSummary } from "../usage/summary.ts";
import { type App, type MountDeps, mount } from "./mount.ts";

type Deps = MountDeps & Parameters<typeof getStatement>[0];

export function mountBilling(app: App, deps: Deps): void {
  mount(app, deps, "getUsage", ({ ctx, query }) => usageSummary(deps, ctx, query));
  mount(app, deps, "getQuota", ({ ctx }) => quotaReport(deps, ctx));
  mount(app, deps, "listStatements", ({ ctx }) => listStatements(deps, ctx));
  mount(app, deps, "getStatement", async ({ ctx, params, query, request }) => {
    const statement = await getStatement(deps, ctx, params.month ?? "");
    return isForCsv(query, request) ? csvAnswer(statement) : statement;
  });
}

/** What the query says counts before what a client accepts by habit. */
function isForCsv({ format }: { format?: "json" | "csv" | undefined }, request: Request): boolean {
  if (format !== undefined) return format === "csv";
  return (request.headers.get("accept") ?? "").toLowerCase().includes(csvType);
}

function csvAnswer(statement: Statement): Response {
  return new Response(toCsv(statement), {
    headers: {
      "content-type": `${csvType}; charset=utf-8; header=present`,
      "content-disposition": `attachment; filename="statement-${statement.month}.csv"`,
      "x-content-type-options": "nosniff",
    },
  });
}
