import type { Clock } from "../context.ts";
import type { LazyKey } from "../crypto.ts";
import type { Db } from "../db/client.ts";
import type { Log } from "../log.ts";
import { type ChainHead, type ChainPoint, chainHash, chainStart, headMac, isOurHead } from "./chain.ts";
import { type ChainPage, chainPage, writeSeals } from "./chain-store.ts";

type Deps = { db: Db; auditKey: LazyKey; log: Log };

const rowsPerRound = 500;
const roundsMax = 20;

/**
 * Seals what was written since the last time, in order and a bounded number of rows. Where the chain cannot be the one
 * that we have left, nothing is sealed: that would put our name under it.
 */
export async function sealAudit(deps: Deps): Promise<number> {
  let sealed = 0;
  for (let round = 0; round < roundsMax; round++) {
    const count = await sealRound(deps);
    sealed += count;
    if (count < rowsPerRound) break;
  }
  return sealed;
}

async function sealRound({ db, auditKey, log }: Deps): Promise<number> {
  const page = await chainPage(db, rowsPerRound);
  const fault = await faultOf(auditKey, page);
  if (fault) {
    log({ level: "error", event: "audit_broken", fault });
    return 0;
  }
  if (page.rows.length === 0) return 0;
  const pruned = page.head?.pruned ?? chainStart;
  let previous = page.head?.sealed ?? chainStart;
  const seals: ChainPoint[] = [];
  for (const row of page.rows) {
    previous = { sequence: row.sequence, hash: await chainHash(previous.hash, row) };
    seals.push(previous);
  }
  const head: ChainHead = { sealed: previous, pruned };
  const mac = await headMac(auditKey, head);
  // Kept with the logs, this is a place of the chain that no writer of the database can take back.
  if (!(await writeSeals(db, page.head, { ...head, mac }, seals))) return 0;
  log({ level: "info", event: "audit_sealed", rows: seals.length, ...previous });
  return seals.length;
}

async function faultOf(key: LazyKey, { head, rows, first }: ChainPage): Promise<string | undefined> {
  if (head && !(await isOurHead(key, head))) return "the head is not ours";
  if (!head && first !== undefined && first !== 1) return "there is no head, and the beginning is gone";
  if (rows.some((row) => row.hash !== null)) return "rows past the head are sealed";
  return undefined;
}

export type Sealer = { soon: (background: (name: string, work: Promise<unknown>) => void) => void };

const sealEveryMs = 1_000;

/** Seals behind a change without anybody waiting, once a second at most; what comes in between is the sweep's. */
export function makeSealer(deps: Deps & { now: Clock }): Sealer {
  let notBeforeMs = Number.NEGATIVE_INFINITY;
  return {
    soon(background) {
      const nowMs = deps.now();
      if (nowMs < notBeforeMs) return;
      notBeforeMs = nowMs + sealEveryMs;
      background("seal", sealAudit(deps));
    },
  };
}
