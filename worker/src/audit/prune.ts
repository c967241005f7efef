import type { LazyKey } from "../crypto.ts";
import type { Db } from "../db/client.ts";
import type { Log } from "../log.ts";
import { type ChainPoint, chainHash, headMac, isOurHead } from "./chain.ts";
import { type ChainPage, chainPage, firstAtMs, writePruned } from "./chain-store.ts";

type Deps = { db: Db; auditKey: LazyKey; log: Log; auditRetentionMs: number; now: () => number };

const rowsMax = 1_000;

/**
 * Forgets sealed rows of before the retention, oldest first and a bounded number, and moves the anchor that the chain
 * then begins at. Rows that are not what was sealed are evidence, and stay with all that follow.
 */
export async function pruneAudit(deps: Deps): Promise<number> {
  const beforeMs = deps.now() - deps.auditRetentionMs;
  if (((await firstAtMs(deps.db)) ?? beforeMs) >= beforeMs) return 0;
  const page = await chainPage(deps.db, rowsMax, 0);
  const { head } = page;
  if (!head || !(await isOurHead(deps.auditKey, head))) return 0;
  const pruned = await lastOld(page, head, beforeMs);
  if (pruned === "broken") {
    deps.log({
      level: "error",
      event: "audit_broken",
      fault: "what is due to be pruned is not what was sealed",
    });
    return 0;
  }
  if (pruned.sequence === head.pruned.sequence) return 0;
  const next = { sealed: head.sealed, pruned };
  return writePruned(deps.db, head, { ...next, mac: await headMac(deps.auditKey, next) });
}

async function lastOld(
  { rows }: ChainPage,
  { sealed, pruned }: { sealed: ChainPoint; pruned: ChainPoint },
  beforeMs: number,
): Promise<ChainPoint | "broken"> {
  let at = pruned;
  for (const row of rows) {
    if (row.atMs >= beforeMs || row.sequence > sealed.sequence) break;
    const hash = await chainHash(at.hash, row);
    if (row.sequence !== at.sequence + 1 || row.hash !== hash) return "broken";
    at = { sequence: row.sequence, hash };
  }
  return at;
}
