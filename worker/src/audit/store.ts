import { type SQL, sql } from "drizzle-orm";
import type { HostId, KeyId, TenantId } from "#contract/ids";
import type { Db } from "../db/client.ts";
import type { Statement } from "../db/rider.ts";

export type Actor = `key:${KeyId}` | `host:${HostId}` | "operator" | "system";
export type AuditEntry = {
  /** `null` = of the whole service, such as a plan's change. */
  tenantId: TenantId | null;
  atMs: number;
  actor: Actor;
  /** What was done to what kind of thing, in the past: `sandbox.created`, `key.revoked`. */
  action: `${string}.${string}`;
  /** Its id. */
  subject: string;
  /** Facts without secrets: no command, environment, path or key. */
  details?: Record<string, string | number | boolean | null>;
  requestId: string | null;
};

/** Who changes something, and with which request. */
export type By = Pick<AuditEntry, "actor" | "requestId">;
export const bySystem: By = { actor: "system", requestId: null };
export const byOperator = ({ requestId }: { requestId: string }): By => ({ actor: "operator", requestId });

/**
 * Notes a change in the batch that makes it. Put right behind the statement of the change: it is written if that one
 * has changed a row, or under a condition of its own.
 */
export function auditStatement(db: Db, entry: AuditEntry, condition: SQL = sql`changes() > 0`): Statement {
  return db.run(sql`
    INSERT INTO audit (tenant_id, at_ms, actor, action, subject, details, request_id)
    SELECT ${entry.tenantId}, ${entry.atMs}, ${entry.actor}, ${entry.action}, ${entry.subject},
      ${JSON.stringify(entry.details ?? {})}, ${entry.requestId}
    WHERE ${condition}`);
}

/**
 * The same of each subject that a query gives as `subject`. It stands where the query still tells, or already tells, whom
 * the change is of.
 */
export function auditEachStatement(db: Db, entry: Omit<AuditEntry, "subject">, subjects: SQL): Statement {
  return db.run(sql`
    INSERT INTO audit (tenant_id, at_ms, actor, action, subject, details, request_id)
    SELECT ${entry.tenantId}, ${entry.atMs}, ${entry.actor}, ${entry.action}, subject,
      ${JSON.stringify(entry.details ?? {})}, ${entry.requestId}
    FROM (${subjects})`);
}
