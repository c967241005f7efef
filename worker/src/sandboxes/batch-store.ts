import { and, eq, sql } from "drizzle-orm";
import type { SandboxId, TenantId } from "#contract/ids";
import type { By } from "../audit/store.ts";
import type { Db } from "../db/client.ts";
import { runBatch } from "../db/rider.ts";
import { sandboxes } from "../db/schema.ts";
import { endingStatements, type SandboxRow } from "./store.ts";

/** What an idempotency record keeps of a batch. */
export const resourceOf = (rows: readonly Pick<SandboxRow, "id">[]): string =>
  JSON.stringify(rows.map(({ id }) => id));
/** Only `resourceOf` writes these. */
export const idsOf = (resource: string): SandboxId[] => JSON.parse(resource) as SandboxId[];

/** Those of a batch whose host has confirmed them; all others are given up. */
export async function takeUpConfirmed(
  db: Db,
  tenantId: TenantId,
  ids: readonly SandboxId[],
  giving: { by: By; nowMs: number },
): Promise<SandboxRow[]> {
  const among = sql`id IN (SELECT value FROM json_each(${JSON.stringify(ids)}))`;
  const ofWhich = sql`SELECT id FROM sandboxes WHERE ${among} AND started_at_ms IS NULL`;
  await runBatch(db, endingStatements(db, tenantId, { ...giving, reason: "canceled", ofWhich }));
  return db
    .select()
    .from(sandboxes)
    .where(and(eq(sandboxes.tenantId, tenantId), among, sql`started_at_ms IS NOT NULL`));
}
