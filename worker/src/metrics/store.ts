import { count, isNull } from "drizzle-orm";
import type { RunState } from "#contract/run";
import type { SandboxState } from "#contract/sandbox";
import type { Db } from "../db/client.ts";
import { runs, sandboxes } from "../db/schema.ts";

// Operators' counts: they look across tenants and name none.

/** Sandboxes that have not ended, by state. */
export async function countSandboxes(db: Db): Promise<Map<SandboxState, number>> {
  const rows = await db
    .select({ state: sandboxes.state, n: count() })
    .from(sandboxes)
    .where(isNull(sandboxes.endedAtMs))
    .groupBy(sandboxes.state);
  return new Map(rows.map(({ state, n }) => [state, n]));
}

/** Runs that have not ended, by state. */
export async function countRuns(db: Db): Promise<Map<RunState, number>> {
  const rows = await db
    .select({ state: runs.state, n: count() })
    .from(runs)
    .where(isNull(runs.endedAtMs))
    .groupBy(runs.state);
  return new Map(rows.map(({ state, n }) => [state, n]));
}
