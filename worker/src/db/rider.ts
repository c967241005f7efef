import type { ResultSet } from "@libsql/client";
import type { SQL } from "drizzle-orm";
import type { SQLiteRaw } from "drizzle-orm/sqlite-core/query-builders/raw";
import type { Db } from "./client.ts";

export type Statement = SQLiteRaw<ResultSet>;

/**
 * Somebody else's rows that change together with a row being made under `id`, or forbid it: parts of the same batch,
 * so that a crash leaves all of them or none.
 */
export type Rider<Id extends string> = {
  before: (id: Id) => Statement[];
  /** Without it nothing is made. */
  condition: (id: Id) => SQL;
  after: (id: Id) => Statement[];
  /** What is being made has got another id. */
  moved: (from: Id, to: Id) => Statement[];
  /** Whether it was the rider that forbade it, by throwing. */
  explain: () => Promise<void>;
};

/** One write transaction; what each statement changed, in order. */
export async function runBatch(db: Db, statements: readonly Statement[]): Promise<number[]> {
  const [first, ...rest] = statements;
  if (!first) return [];
  const results = await db.batch([first, ...rest]);
  return results.map((result) => result.rowsAffected);
}
