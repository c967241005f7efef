import { sql } from "drizzle-orm";
import type { Db } from "./client.ts";

export type Pruned = { sandboxes: number; runs: number; reservations: number };

/**
 * Forgets, over all tenants, what ended before this, so many of each at most. A sandbox whose slot is still held is
 * kept, whatever its row says. Nothing here needs to go together, so each statement holds the database by itself.
 */
export async function prune(db: Db, before: { endedAtMs: number; rowsMax: number }): Promise<Pruned> {
  const { endedAtMs, rowsMax } = before;
  const reservations = await db.run(sql`
    DELETE FROM reservations WHERE id IN (
      SELECT id FROM reservations WHERE released_at_ms < ${endedAtMs} LIMIT ${rowsMax})`);
  const runs = await db.run(sql`
    DELETE FROM runs WHERE id IN (SELECT id FROM runs WHERE ended_at_ms < ${endedAtMs} LIMIT ${rowsMax})`);
  const sandboxes = await db.run(sql`
    DELETE FROM sandboxes WHERE id IN (
      SELECT id FROM sandboxes s WHERE ended_at_ms < ${endedAtMs}
        AND NOT EXISTS (SELECT 1 FROM reservations WHERE sandbox_id = s.id AND released_at_ms IS NULL)
      LIMIT ${rowsMax})`);
  return {
    sandboxes: sandboxes.rowsAffected,
    runs: runs.rowsAffected,
    reservations: reservations.rowsAffected,
  };
}
