import { getTableColumns } from "drizzle-orm";
import type { TenantId } from "#contract/ids";
import type { Db } from "../db/client.ts";
import { type Page, pageOfRows } from "../db/page.ts";
import { runs } from "../db/schema.ts";
import type { SummaryRow } from "./view.ts";

/** Output is not even read: a page of it would be tens of megabytes. */
const { stdout: _, stderr: __, ...summaryColumns } = getTableColumns(runs);

export function listRunRows(db: Db, tenantId: TenantId, page: Page) {
  return pageOfRows<SummaryRow>(db, tenantId, {
    table: runs,
    page,
    select: (where, order, limit) =>
      db
        .select(summaryColumns)
        .from(runs)
        .where(where)
        .orderBy(...order)
        .limit(limit),
  });
}
