import type * as z from "zod";
import type {
  AuditEntry,
  AuditPage,
  AuditRecord,
  AuditRecordPage,
  ListAudit,
  ListAuditRecords,
} from "#contract/audit";
import { limits } from "#contract/limits";
import type { Ctx } from "../context.ts";
import type { LazyKey } from "../crypto.ts";
import { type CursorOf, fromCursor, toCursor } from "../cursor.ts";
import type { Db } from "../db/client.ts";
import { auditRows, type StoredAudit } from "./list-store.ts";

type Deps = { db: Db; cursorKey: LazyKey };

/**
 * One page of what was changed of the tenant's, newest first.
 * @throws AppError `invalid_request` for a cursor that no page gave
 */
export async function listAudit(
  deps: Deps,
  ctx: Pick<Ctx, "tenantId">,
  query: ListAudit,
): Promise<z.output<typeof AuditPage>> {
  const { rows, ...rest } = await pageOf(deps, { tenantId: ctx.tenantId, list: "audit" }, query);
  return { items: rows.map(toEntry), ...rest };
}

/** The same of the whole service, for its operator. */
export async function listAuditRecords(
  deps: Deps,
  query: ListAuditRecords,
): Promise<z.output<typeof AuditRecordPage>> {
  const { rows, ...rest } = await pageOf(deps, { tenantId: "operator", list: "audit" }, query);
  return { items: rows.map(toRecord), ...rest };
}

async function pageOf({ db, cursorKey }: Deps, of: CursorOf, query: ListAuditRecords) {
  const after = query.cursor === undefined ? undefined : await fromCursor(cursorKey, of, query.cursor);
  const filters = {
    tenantId: of.tenantId === "operator" ? query.tenantId : of.tenantId,
    action: query.action,
    subject: query.subject,
    fromMs: query.from === undefined ? undefined : Date.parse(query.from),
    toMs: query.to === undefined ? undefined : Date.parse(query.to),
  };
  const before = after && Number(after.id);
  const limit = query.limit ?? limits.pageDefaultItems;
  const { rows, next } = await auditRows(db, filters, { limit, before });
  const position = next && { createdAtMs: next.atMs, id: String(next.sequence) };
  return { rows, ...(position && { nextCursor: await toCursor(cursorKey, of, position) }) };
}

const factsOf = (row: StoredAudit) => ({
  at: new Date(row.atMs).toISOString(),
  action: row.action,
  subject: row.subject,
  // Written by `auditStatement`, whose type it is.
  details: row.details as AuditEntry["details"],
  requestId: row.requestId,
});

/** Which host it was, and how much the service does for others, is nobody else's. */
function toEntry(row: StoredAudit): AuditEntry {
  return { ...factsOf(row), actor: row.actor.startsWith("host:") ? "host" : row.actor };
}

function toRecord(row: StoredAudit): AuditRecord {
  return {
    ...factsOf(row),
    sequence: row.sequence,
    tenantId: row.tenantId,
    actor: row.actor,
    hash: row.hash,
  };
}
