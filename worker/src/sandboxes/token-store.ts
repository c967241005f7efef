import { sql } from "drizzle-orm";
import type { SandboxId, TenantId } from "#contract/ids";
import type { TokenScope } from "#contract/token";
import { auditStatement, type By } from "../audit/store.ts";
import type { Db } from "../db/client.ts";
import { runBatch } from "../db/rider.ts";

type Note = {
  sandboxId: SandboxId;
  scopes: readonly TokenScope[];
  expiresAtMs: number;
  nowMs: number;
  by: By;
};

/** Notes that a token was made, if its sandbox is alive: whether it is. */
export async function noteToken(db: Db, tenantId: TenantId, note: Note): Promise<boolean> {
  const { sandboxId, scopes, expiresAtMs, nowMs, by } = note;
  const isAlive = sql`EXISTS (SELECT 1 FROM sandboxes WHERE id = ${sandboxId} AND tenant_id = ${tenantId}
    AND state IN ('creating', 'running') AND expires_at_ms > ${nowMs})`;
  const entry = {
    ...by,
    tenantId,
    atMs: nowMs,
    action: "token.issued" as const,
    subject: sandboxId,
    details: { scopes: scopes.join(" "), expiresAt: new Date(expiresAtMs).toISOString() },
  };
  const [noted] = await runBatch(db, [auditStatement(db, entry, isAlive)]);
  return noted === 1;
}
