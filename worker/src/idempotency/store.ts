import { and, eq, gt, sql } from "drizzle-orm";
import type { TenantId } from "#contract/ids";
import type { Db } from "../db/client.ts";
import type { Rider } from "../db/rider.ts";
import { idempotency } from "../db/schema.ts";

export type IdempotencyRow = typeof idempotency.$inferSelect;
/** One request's right to carry out what a key stands for. */
export type Claim = {
  id: string;
  fingerprint: string;
  owner: string;
  /** The owner that is taken for dead and made nothing; `null` = none was seen. */
  takesOver: string | null;
  nowMs: number;
  leaseUntilMs: number;
  /** Records made before this are forgotten. */
  forgottenBeforeMs: number;
};

/** Somebody else carries out what this key stands for. */
export class ClaimLost extends Error {
  override readonly name = "ClaimLost";
}

export async function findRecord(
  db: Db,
  tenantId: TenantId,
  record: { id: string; forgottenBeforeMs: number },
): Promise<IdempotencyRow | undefined> {
  const rows = await db
    .select()
    .from(idempotency)
    .where(
      and(
        eq(idempotency.tenantId, tenantId),
        eq(idempotency.id, record.id),
        gt(idempotency.createdAtMs, record.forgottenBeforeMs),
      ),
    );
  return rows[0];
}

const held = (tenantId: TenantId, claim: Claim) => sql`
  tenant_id = ${tenantId} AND id = ${claim.id} AND owner = ${claim.owner} AND status IS NULL`;

/** What the record names and what is still there, or on its way: such a record must not be let go. */
const isMade = sql`
  (EXISTS (SELECT 1 FROM sandboxes WHERE state IN ('creating', 'running') AND id IN (
      SELECT value FROM json_each(CASE WHEN resource_id LIKE '[%' THEN resource_id ELSE json_array(resource_id) END)))
    OR EXISTS (SELECT 1 FROM runs WHERE id = resource_id))`;

/**
 * The record is written, or taken over, in the batch that makes the resource: both or neither. Its id is that of the resource, or of
 * each of many as a JSON list.
 */
export function claimRider<Id extends string>(db: Db, tenantId: TenantId, claim: Claim): Rider<Id> {
  return {
    before: (id) => [
      db.run(sql`
        INSERT INTO idempotency (id, tenant_id, fingerprint, owner, lease_until_ms, resource_id, created_at_ms)
        VALUES (${claim.id}, ${tenantId}, ${claim.fingerprint}, ${claim.owner}, ${claim.leaseUntilMs}, ${id},
          ${claim.nowMs})
        ON CONFLICT (id) DO UPDATE SET fingerprint = excluded.fingerprint, owner = excluded.owner,
          lease_until_ms = excluded.lease_until_ms, resource_id = excluded.resource_id,
          created_at_ms = excluded.created_at_ms, status = NULL, body = NULL
        WHERE idempotency.created_at_ms <= ${claim.forgottenBeforeMs}
          OR (idempotency.owner = ${claim.takesOver} AND idempotency.status IS NULL)`),
    ],
    condition: (id) =>
      sql`EXISTS (SELECT 1 FROM idempotency WHERE ${held(tenantId, claim)} AND resource_id = ${id})`,
    // No slot, no resource: a record without one would make the next try wait for nobody.
    after: (id) => [
      db.run(
        sql`DELETE FROM idempotency WHERE ${held(tenantId, claim)} AND resource_id = ${id} AND NOT ${isMade}`,
      ),
    ],
    moved: (from, to) => [
      db.run(sql`
        UPDATE idempotency SET resource_id = replace(resource_id, ${from}, ${to})
        WHERE ${held(tenantId, claim)}
          AND EXISTS (SELECT 1 FROM sandboxes WHERE id = ${to} AND tenant_id = ${tenantId})`),
    ],
    async explain() {
      const found = await findRecord(db, tenantId, claim);
      if (found && found.owner !== claim.owner) throw new ClaimLost();
    },
  };
}

/** Keeps the answer. Whether the claim was still this owner's to settle. */
export async function settleRecord(
  db: Db,
  tenantId: TenantId,
  settled: { id: string; owner: string; status: number; body: string },
): Promise<boolean> {
  const { id, owner, status, body } = settled;
  const done = await db.run(sql`
    UPDATE idempotency SET status = ${status}, body = ${body}
    WHERE tenant_id = ${tenantId} AND id = ${id} AND owner = ${owner} AND status IS NULL`);
  return done.rowsAffected === 1;
}

/** Lets a key go under which nothing was made. */
export async function releaseRecord(db: Db, tenantId: TenantId, claim: Claim): Promise<void> {
  await db.run(sql`DELETE FROM idempotency WHERE ${held(tenantId, claim)} AND NOT ${isMade}`);
}

const forgottenPerSweep = 5_000;

/** Forgets records, of all tenants, a bounded number at a time. Returns how many. */
export async function forgetRecords(db: Db, forgottenBeforeMs: number): Promise<number> {
  const done = await db.run(sql`
    DELETE FROM idempotency WHERE id IN (
      SELECT id FROM idempotency WHERE created_at_ms <= ${forgottenBeforeMs} LIMIT ${forgottenPerSweep})`);
  return done.rowsAffected;
}
