import { sql } from "drizzle-orm";
import type { Db } from "../db/client.ts";
import { runBatch, type Statement } from "../db/rider.ts";
import type { AuditRow, ChainHead, ChainPoint } from "./chain.ts";

export type StoredHead = ChainHead & { mac: string };
export type ChainPage = {
  head: StoredHead | undefined;
  rows: AuditRow[];
  /** The lowest sequence of all that are there, and the highest that was ever given. */
  first: number | undefined;
  last: number;
};

type Joined = {
  headSequence: number | null;
  headHash: string;
  prunedSequence: number;
  prunedHash: string;
  mac: string;
  first: number | null;
  last: number | null;
} & { [K in keyof AuditRow]: AuditRow[K] | null };

/** Rows of one statement, so of one moment: the head, and what follows a place (of the sealed part by default). */
export async function chainPage(db: Db, limit: number, after?: number): Promise<ChainPage> {
  const from = after === undefined ? sql`coalesce((SELECT sequence FROM audit_heads), 0)` : sql`${after}`;
  const found = await db.all<Joined>(sql`
    SELECT h.sequence AS headSequence, h.hash AS headHash, h.pruned_sequence AS prunedSequence,
      h.pruned_hash AS prunedHash, h.mac AS mac,
      (SELECT min(sequence) FROM audit) AS first, (SELECT seq FROM sqlite_sequence WHERE name = 'audit') AS last,
      a.sequence AS sequence, a.tenant_id AS tenantId, a.at_ms AS atMs, a.actor AS actor, a.action AS action,
      a.subject AS subject, a.details AS details, a.request_id AS requestId, a.hash AS hash
    FROM (SELECT 1) LEFT JOIN audit_heads h ON h.id = 1
      LEFT JOIN (SELECT * FROM audit WHERE sequence > ${from} ORDER BY sequence LIMIT ${limit}) a ON TRUE
    ORDER BY a.sequence`);
  const [top] = found;
  return {
    head: top && headOf(top),
    // Only an empty page has a row without a sequence, and every other column of a row is there.
    rows: found.filter((row) => row.sequence !== null) as unknown as AuditRow[],
    first: top?.first ?? undefined,
    last: top?.last ?? 0,
  };
}

function headOf(row: Joined): StoredHead | undefined {
  if (row.headSequence === null) return undefined;
  return {
    sealed: { sequence: row.headSequence, hash: row.headHash },
    pruned: { sequence: row.prunedSequence, hash: row.prunedHash },
    mac: row.mac,
  };
}

/**
 * Seals rows and moves the head from where it was read, all or nothing: of two sealers one finds it moved. Whether it
 * was this one.
 */
export async function writeSeals(
  db: Db,
  from: StoredHead | undefined,
  to: StoredHead,
  seals: readonly ChainPoint[],
): Promise<boolean> {
  const pairs = JSON.stringify(seals.map(({ sequence, hash }) => [sequence, hash]));
  const [moved] = await runBatch(db, [
    moveHead(db, from, to),
    db.run(sql`
      UPDATE audit SET hash = json_extract(seals.value, '$[1]')
      FROM json_each(${pairs}) AS seals
      WHERE audit.sequence = json_extract(seals.value, '$[0]') AND audit.hash IS NULL
        AND EXISTS (SELECT 1 FROM audit_heads WHERE mac = ${to.mac})`),
  ]);
  return moved === 1;
}

/** Removes rows up to the new anchor, if the head is still the one that was read. How many. */
export async function writePruned(db: Db, from: StoredHead, to: StoredHead): Promise<number> {
  const [, removed] = await runBatch(db, [
    moveHead(db, from, to),
    db.run(sql`
      DELETE FROM audit WHERE sequence <= ${to.pruned.sequence}
        AND EXISTS (SELECT 1 FROM audit_heads WHERE mac = ${to.mac})`),
  ]);
  return removed ?? 0;
}

function moveHead(db: Db, from: StoredHead | undefined, to: StoredHead): Statement {
  const { sealed, pruned, mac } = to;
  if (from === undefined) {
    return db.run(sql`
      INSERT OR IGNORE INTO audit_heads (id, sequence, hash, pruned_sequence, pruned_hash, mac)
      VALUES (1, ${sealed.sequence}, ${sealed.hash}, ${pruned.sequence}, ${pruned.hash}, ${mac})`);
  }
  return db.run(sql`
    UPDATE audit_heads SET sequence = ${sealed.sequence}, hash = ${sealed.hash},
      pruned_sequence = ${pruned.sequence}, pruned_hash = ${pruned.hash}, mac = ${mac}
    WHERE id = 1 AND mac = ${from.mac}`);
}

/** When the oldest row that is still there was written. */
export async function firstAtMs(db: Db): Promise<number | undefined> {
  const [first] = await db.all<{ atMs: number }>(
    sql`SELECT at_ms AS atMs FROM audit ORDER BY sequence LIMIT 1`,
  );
  return first?.atMs;
}
