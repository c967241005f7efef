import type { Client } from "@libsql/client";

export type Migration = { name: string; sql: string };

const table = `CREATE TABLE IF NOT EXISTS migrations (
  name TEXT NOT NULL PRIMARY KEY,
  hash TEXT NOT NULL,
  applied_at_ms INTEGER NOT NULL
) STRICT`;

/**
 * Applies what is missing, in order, each in one batch. Returns the names it applied itself.
 * @throws Error with one sentence when the database is newer than this code, an applied migration has been changed, or
 * one fails.
 */
export async function migrate(client: Client, migrations: readonly Migration[], nowMs: number) {
  await client.execute(table);
  await refuseNewer(client, migrations);
  const applied: string[] = [];
  for (const migration of migrations) {
    const hash = await sha256Hex(migration.sql);
    if (await isApplied(client, migration.name, hash)) continue;
    try {
      // The name is inserted first: of two processes, the second one's batch fails whole on the primary key.
      await client.batch(
        [
          { sql: "INSERT INTO migrations VALUES (?, ?, ?)", args: [migration.name, hash, nowMs] },
          ...statementsOf(migration.sql),
        ],
        "write",
      );
      applied.push(migration.name);
    } catch (cause) {
      if (await isApplied(client, migration.name, hash)) continue;
      throw new Error(`Migration ${migration.name} failed.`, { cause });
    }
  }
  return applied;
}

/** What this code does not know of may have changed the meaning of what it does know. */
async function refuseNewer(client: Client, migrations: readonly Migration[]): Promise<void> {
  const { rows } = await client.execute("SELECT name FROM migrations ORDER BY name DESC");
  const known = new Set(migrations.map(({ name }) => name));
  const unknown = rows.map(({ name }) => String(name)).find((name) => !known.has(name));
  if (unknown === undefined) return;
  throw new Error(
    `The database is newer than this Sandgate, which does not know its migration ${unknown}: run the newer one again, or go back to a copy of the database from before it.`,
  );
}

async function isApplied(client: Client, name: string, hash: string): Promise<boolean> {
  const found = await client.execute({ sql: "SELECT hash FROM migrations WHERE name = ?", args: [name] });
  const row = found.rows[0];
  if (!row) return false;
  if (row.hash !== hash) {
    throw new Error(`Migration ${name} was changed after it was applied; write a new one instead.`);
  }
  return true;
}

/** A statement ends with `;` at the end of a line. */
export function statementsOf(sql: string): string[] {
  return sql
    .split(/;[ \t]*(?:\r?\n|$)/)
    .map((statement) => statement.trim())
    .filter((statement) => statement.replace(/^--.*$/gm, "").trim() !== "");
}

async function sha256Hex(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
