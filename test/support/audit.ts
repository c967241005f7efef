import { sql } from "drizzle-orm";
import { type TestDatabase, testDatabase } from "#test/support/database";
import type { ChainPoint } from "#worker/audit/chain";
import { pruneAudit } from "#worker/audit/prune";
import { sealAudit } from "#worker/audit/seal";
import { auditStatement } from "#worker/audit/store";
import { verifyAudit } from "#worker/audit/verify";
import { derivedKey } from "#worker/crypto";
import { databaseOver } from "#worker/db/client";
import { runBatch } from "#worker/db/rider";
import type { LogEvent } from "#worker/log";

/** An audit of its own, with a clock that stands until it is moved. */
export async function testAudit(secret = "a secret of the tests") {
  const database: TestDatabase = await testDatabase();
  const db = databaseOver(database.client);
  const events: LogEvent[] = [];
  const clock = { nowMs: 1_800_000_000_000 };
  const deps = {
    db,
    auditKey: derivedKey(secret, "sandgate audit v1"),
    log: (event: LogEvent) => events.push(event),
    now: () => clock.nowMs,
    auditRetentionMs: 400 * 86_400_000,
  };
  return {
    ...deps,
    deps,
    database,
    events,
    clock,
    /** Runs SQL as somebody who has the database and no secret: without the triggers, which they would drop. */
    async tamper(...statements: string[]) {
      const { rows } = await database.client.execute(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'",
      );
      for (const { name } of rows) await database.client.execute(`DROP TRIGGER ${name}`);
      for (const sql of statements) await database.client.execute(sql);
      for (const { sql } of rows) await database.client.execute(String(sql));
    },
    async write(count: number) {
      for (let i = 0; i < count; i++) {
        const subject = `thing-${clock.nowMs}-${i}`;
        const entry = { tenantId: null, atMs: clock.nowMs, actor: "system", action: "thing.made" } as const;
        await runBatch(db, [
          auditStatement(db, { ...entry, subject, details: { n: i }, requestId: null }, sql`TRUE`),
        ]);
      }
    },
    seal: () => sealAudit(deps),
    prune: () => pruneAudit(deps),
    verify: (from?: ChainPoint) => verifyAudit(deps, from),
    rows: async () => (await database.client.execute("SELECT * FROM audit ORDER BY sequence")).rows,
    close: () => database.close(),
  };
}
