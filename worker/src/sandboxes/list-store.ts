import { and, eq, type SQL } from "drizzle-orm";
import type { TenantId } from "#contract/ids";
import { limits } from "#contract/limits";
import type { SandboxState } from "#contract/sandbox";
import type { Position } from "../cursor.ts";
import type { Db } from "../db/client.ts";
import { hasEntries, newestFirst, notOlder, older } from "../db/page.ts";
import { sandboxes } from "../db/schema.ts";
import type { SandboxRow } from "./store.ts";

type Page = {
  limit: number;
  after: Position | undefined;
  template: string | undefined;
  state?: SandboxState | undefined;
  metadata?: Record<string, string> | undefined;
};

/**
 * One page, and where the next one begins. Metadata has no index, so only so many rows are looked through for it: a
 * page may be short, or empty, with more to come.
 */
export async function listSandboxRows(
  db: Db,
  tenantId: TenantId,
  page: Page,
): Promise<{ rows: SandboxRow[]; next?: Position }> {
  const listed = and(
    eq(sandboxes.tenantId, tenantId),
    page.state && eq(sandboxes.state, page.state),
    page.template === undefined ? undefined : eq(sandboxes.template, page.template),
    older(sandboxes, page.after),
  );
  const last = page.metadata && (await positionAt(db, listed, limits.listScanMaxRows));
  const rows = await db
    .select()
    .from(sandboxes)
    .where(and(listed, notOlder(sandboxes, last), hasEntries(sandboxes.metadata, page.metadata)))
    .orderBy(...newestFirst(sandboxes))
    // One more than asked for tells whether there is another page.
    .limit(page.limit + 1);
  const shown = rows.slice(0, page.limit);
  const next = rows.length > page.limit ? shown.at(-1) : last;
  return { rows: shown, ...(next && { next }) };
}

/** Where the n-th row of a list is; `undefined` = it is shorter. */
async function positionAt(db: Db, listed: SQL | undefined, n: number): Promise<Position | undefined> {
  const rows = await db
    .select({ createdAtMs: sandboxes.createdAtMs, id: sandboxes.id })
    .from(sandboxes)
    .where(listed)
    .orderBy(...newestFirst(sandboxes))
    .limit(1)
    .offset(n - 1);
  return rows[0];
}
