import type { TenantId } from "#contract/ids";
import type { Db } from "../db/client.ts";
import { type Page, pageOfRows } from "../db/page.ts";
import { sandboxes } from "../db/schema.ts";
import type { SandboxRow } from "./store.ts";

export function listSandboxRows(db: Db, tenantId: TenantId, page: Page) {
  return pageOfRows<SandboxRow>(db, tenantId, {
    table: sandboxes,
    page,
    select: (where, order, limit) =>
      db
        .select()
        .from(sandboxes)
        .where(where)
        .orderBy(...order)
        .limit(limit),
  });
}
