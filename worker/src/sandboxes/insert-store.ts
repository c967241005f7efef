import { type SQL, sql } from "drizzle-orm";
import {
  type KeyId,
  newReservationId,
  type RandomBytes,
  type RunId,
  type SandboxId,
  type TenantId,
} from "#contract/ids";
import { auditEachStatement, type By } from "../audit/store.ts";
import type { Db } from "../db/client.ts";
import { type Rider, runBatch, type Statement } from "../db/rider.ts";
import { admitStatements, isHeldAs } from "../quota/admit-store.ts";
import type { Ask } from "../quota/ask.ts";
import { adoptHoldStatement } from "../quota/holds-store.ts";
import { adoptReservationStatement } from "../quota/store.ts";
import { resourceOf } from "./batch-store.ts";
import type { SandboxRow } from "./store.ts";

/** On whose account a sandbox is made, and what else is written with it. */
export type Taking<Id extends string = SandboxId> = {
  keyId: KeyId;
  isUnmetered: boolean;
  by: By;
  randomBytes: RandomBytes;
  rider?: Rider<Id> | undefined;
  /** The run that was admitted before: its slot and its hold become the sandbox's. */
  from?: RunId | undefined;
};

/** What a row needs of its tenant's quotas and budgets. */
export function askOf(row: Omit<SandboxRow, "id" | "hostId">, keyId: KeyId, count: number): Ask {
  const { createdAtMs, cpu, memoryMiB, diskMiB, lifetimeSeconds, capMicros } = row;
  return {
    keyId,
    createdAtMs,
    count,
    size: { cpu, memoryMiB, diskMiB },
    lifetimeSeconds,
    capMicros,
    isRun: false,
  };
}

/** Takes a slot and a hold and writes the row, with what rides along: all or nothing. Whether it was admitted. */
export function insertReserved(
  db: Db,
  tenantId: TenantId,
  row: SandboxRow,
  taking: Taking,
): Promise<boolean> {
  return insertAll(db, tenantId, [row], { ...taking, resource: row.id });
}

/** The same for each of many. */
export function insertAllReserved(
  db: Db,
  tenantId: TenantId,
  rows: readonly SandboxRow[],
  taking: Taking<string>,
): Promise<boolean> {
  return insertAll(db, tenantId, rows, { ...taking, resource: resourceOf(rows) });
}

async function insertAll<Id extends string>(
  db: Db,
  tenantId: TenantId,
  rows: readonly SandboxRow[],
  taking: Taking<Id> & { resource: Id },
): Promise<boolean> {
  const [first] = rows;
  if (!first) return true;
  const { rider, resource, from, by } = taking;
  const before = rider?.before(resource) ?? [];
  const condition = rider?.condition(resource);
  const taken = from
    ? adoptStatements(db, tenantId, { from, row: first, condition })
    : admitRows(db, tenantId, rows, { ...taking, condition });
  const isHeld = isHeldAs(tenantId, first.id);
  const { createdAtMs: atMs, template } = first;
  const changed = await runBatch(db, [
    ...before,
    ...taken,
    rowsStatement(db, tenantId, rows, isHeld),
    auditEachStatement(
      db,
      { tenantId, atMs, ...by, action: "sandbox.created", details: { template } },
      sql`SELECT value->>'id' AS subject FROM json_each(${JSON.stringify(rows.map(({ id }) => ({ id })))}) WHERE ${isHeld}`,
    ),
    ...(rider?.after(resource) ?? []),
  ]);
  return changed[before.length + taken.length] === rows.length;
}

type Admitting = { keyId: KeyId; isUnmetered: boolean; randomBytes: RandomBytes; condition: SQL | undefined };

function admitRows(
  db: Db,
  tenantId: TenantId,
  rows: readonly SandboxRow[],
  { keyId, isUnmetered, randomBytes, condition }: Admitting,
): Statement[] {
  const [first] = rows;
  if (!first) return [];
  const { generation, template, metadata } = first;
  const slots = rows.map(({ id: sandboxId, expiresAtMs }) => {
    return { id: newReservationId(randomBytes), sandboxId, expiresAtMs };
  });
  const ask = askOf(first, keyId, rows.length);
  const admission = { ...ask, slots, generation, template, metadata, isUnmetered };
  return admitStatements(db, tenantId, admission, condition);
}

type Adopting = { from: RunId; row: SandboxRow; condition: SQL | undefined };

function adoptStatements(db: Db, tenantId: TenantId, { from, row, condition }: Adopting): Statement[] {
  const to = { id: row.id, expiresAtMs: row.expiresAtMs };
  return [
    adoptHoldStatement(db, tenantId, from, { ...to, condition }),
    adoptReservationStatement(db, tenantId, from, { ...to, isAdmitted: isHeldAs(tenantId, row.id) }),
  ];
}

function rowsStatement(db: Db, tenantId: TenantId, rows: readonly SandboxRow[], isHeld: SQL): Statement {
  const text = (name: keyof SandboxRow) => sql.raw(`value->>'${name}'`);
  return db.run(sql`
    INSERT INTO sandboxes (id, tenant_id, host_id, generation, template, state, cpu, memory_mib, pids, disk_mib,
      lifetime_seconds, idle_seconds, metadata, created_at_ms, expires_at_ms, public_ports, cap_micros)
    SELECT ${text("id")}, ${tenantId}, ${text("hostId")}, ${text("generation")}, ${text("template")},
      ${text("state")}, ${text("cpu")}, ${text("memoryMiB")}, ${text("pids")}, ${text("diskMiB")},
      ${text("lifetimeSeconds")}, ${text("idleSeconds")}, ${text("metadata")}, ${text("createdAtMs")},
      ${text("expiresAtMs")}, ${text("publicPorts")}, ${text("capMicros")}
    FROM json_each(${JSON.stringify(rows)}) WHERE ${isHeld}`);
}
