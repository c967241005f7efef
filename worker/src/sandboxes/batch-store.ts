import { and, eq, sql } from "drizzle-orm";
import { newReservationId, type RandomBytes, type SandboxId, type TenantId } from "#contract/ids";
import { statesBefore } from "#contract/sandbox";
import type { Db } from "../db/client.ts";
import { type Rider, runBatch } from "../db/rider.ts";
import { sandboxes } from "../db/schema.ts";
import { reserveAllStatement } from "../quota/store.ts";
import type { SandboxRow } from "./store.ts";

/** What an idempotency record keeps of a batch. */
export const resourceOf = (rows: readonly Pick<SandboxRow, "id">[]): string =>
  JSON.stringify(rows.map(({ id }) => id));
/** Only `resourceOf` writes these. */
export const idsOf = (resource: string): SandboxId[] => JSON.parse(resource) as SandboxId[];

/** Takes a slot for each row and writes them, with what rides along: all or nothing. Whether there was room. */
export async function insertAllReserved(
  db: Db,
  tenantId: TenantId,
  rows: readonly SandboxRow[],
  { randomBytes, rider }: { randomBytes: RandomBytes; rider?: Rider<string> | undefined },
): Promise<boolean> {
  const resource = resourceOf(rows);
  const slots = rows.map(({ id: sandboxId, expiresAtMs }) => {
    return { id: newReservationId(randomBytes), sandboxId, expiresAtMs };
  });
  const before = rider?.before(resource) ?? [];
  const text = (name: keyof SandboxRow) => sql.raw(`json_extract(value, '$.${name}')`);
  const changed = await runBatch(db, [
    ...before,
    reserveAllStatement(db, tenantId, slots, rider?.condition(resource)),
    db.run(sql`
      INSERT INTO sandboxes (id, tenant_id, host_id, generation, template, state, cpu, memory_mib, pids, disk_mib,
        lifetime_seconds, idle_seconds, metadata, created_at_ms, expires_at_ms,
        public_ports)
      SELECT ${text("id")}, ${tenantId}, ${text("hostId")}, ${text("generation")}, ${text("template")},
        ${text("state")}, ${text("cpu")}, ${text("memoryMiB")}, ${text("pids")}, ${text("diskMiB")}, ${text("lifetimeSeconds")}, ${text("idleSeconds")},
        ${text("metadata")}, ${text("createdAtMs")}, ${text("expiresAtMs")},
        ${text("publicPorts")}
      FROM json_each(${JSON.stringify(rows)})
      WHERE EXISTS (SELECT 1 FROM reservations WHERE id = ${slots[0]?.id})`),
    ...(rider?.after(resource) ?? []),
  ]);
  return changed[before.length + 1] === rows.length;
}

/** Those of a batch whose host has confirmed them; all others are given up. */
export async function takeUpConfirmed(
  db: Db,
  tenantId: TenantId,
  ids: readonly SandboxId[],
): Promise<SandboxRow[]> {
  const among = sql`id IN (SELECT value FROM json_each(${JSON.stringify(ids)}))`;
  await db.run(sql`
    UPDATE sandboxes SET state = 'ending', end_reason = 'canceled'
    WHERE tenant_id = ${tenantId} AND ${among} AND started_at_ms IS NULL AND state IN ${statesBefore("ending")}`);
  return db
    .select()
    .from(sandboxes)
    .where(and(eq(sandboxes.tenantId, tenantId), among, sql`started_at_ms IS NOT NULL`));
}
