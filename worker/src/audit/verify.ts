import type { AuditFinding, AuditVerdict } from "#contract/audit";
import type { Clock } from "../context.ts";
import type { LazyKey } from "../crypto.ts";
import type { Db } from "../db/client.ts";
import { type AuditRow, type ChainPoint, chainHash, chainStart, isOurHead } from "./chain.ts";
import { type ChainPage, chainPage } from "./chain-store.ts";

type Deps = { db: Db; auditKey: LazyKey; now: Clock };

const rowsPerPage = 1_000;
/** About half a second of work; whoever asks goes on from where it ended. */
const pagesMax = 20;
/** What is not sealed has no hash to go on from, so it is looked at in one go; a sweep leaves much less. */
const tailPagesMax = 100;
/** A cron trigger comes once a minute at most, so a tail may honestly be this old. */
export const unsealedMaxMs = 120_000;

/** Where a walk is, and the last sealed row that it found right. */
type Walk = { at: ChainPoint; through: ChainPoint; checked: number };

/**
 * Walks the chain, from its beginning or from a place that an earlier walk, or a log, has given, and finds the first
 * row that is not what was sealed. Bounded: `isComplete` says whether it has seen the end.
 */
export async function verifyAudit(deps: Deps, from?: ChainPoint): Promise<AuditVerdict> {
  const walk: Walk = { at: from ?? chainStart, through: from ?? chainStart, checked: 0 };
  let isStarted = false;
  for (let pages = 1; pages <= pagesMax + tailPagesMax; pages++) {
    const page = await chainPage(deps.db, rowsPerPage, isStarted ? walk.at.sequence : startOf(from));
    if (page.head && !(await isOurHead(deps.auditKey, page.head))) return verdict(walk, "head_forged");
    const rows = isStarted || from === undefined ? page.rows : fromKnown(page, from);
    if (!Array.isArray(rows)) return verdict(walk, rows.kind, from?.sequence);
    isStarted = true;
    // Also what was pruned between two pages.
    if (page.head && page.head.pruned.sequence > walk.at.sequence) {
      walk.at = page.head.pruned;
      walk.through = walk.at;
    }
    const finding = (await firstFault(walk, page, rows, deps.now())) ?? atTheEnd(walk, page);
    if (finding) return verdict(walk, finding.kind, finding.sequence);
    if (page.rows.length < rowsPerPage) return { ...verdict(walk), isComplete: true };
    if (pages >= pagesMax && walk.at.sequence === walk.through.sequence) return verdict(walk);
  }
  return verdict(walk, "unsealed", walk.through.sequence + 1);
}

/** A known place is read along with what follows, since its row must still have its hash. */
const startOf = (from: ChainPoint | undefined) => (from ? from.sequence - 1 : -Number.MAX_SAFE_INTEGER);

function fromKnown({ head, rows }: ChainPage, from: ChainPoint): AuditRow[] | { kind: AuditFinding["kind"] } {
  if (head && head.pruned.sequence >= from.sequence) {
    const isSame = head.pruned.sequence > from.sequence || head.pruned.hash === from.hash;
    return isSame ? rows : { kind: "changed" };
  }
  const [known, ...rest] = rows;
  if (known?.sequence !== from.sequence) return { kind: "removed" };
  return known.hash === from.hash ? rest : { kind: "changed" };
}

/** Advances the walk over rows that are right, and stops at the first that is not. */
async function firstFault(
  walk: Walk,
  { head, first }: ChainPage,
  rows: readonly AuditRow[],
  nowMs: number,
): Promise<AuditFinding | undefined> {
  const pruned = head?.pruned.sequence ?? 0;
  if (first !== undefined && first <= pruned) return { sequence: first, kind: "inserted" };
  for (const row of rows) {
    const expected = walk.at.sequence + 1;
    if (row.sequence !== expected) return { sequence: expected, kind: "removed" };
    const hash = await chainHash(walk.at.hash, row);
    if (row.sequence > (head?.sealed.sequence ?? 0)) {
      if (row.hash !== null) return { sequence: expected, kind: head ? "inserted" : "head_forged" };
      if (nowMs - row.atMs > unsealedMaxMs) return { sequence: expected, kind: "unsealed" };
    } else if (row.hash !== hash) return { sequence: expected, kind: "changed" };
    walk.at = { sequence: row.sequence, hash };
    if (row.hash !== null) walk.through = walk.at;
    walk.checked++;
  }
  return undefined;
}

/** What the last row must agree with: the head, and the numbers that were ever given. */
function atTheEnd(walk: Walk, { head, rows, last }: ChainPage): AuditFinding | undefined {
  const { sequence, hash } = walk.at;
  if (head?.sealed.sequence === sequence && head.sealed.hash !== hash) return { sequence, kind: "changed" };
  if (rows.length >= rowsPerPage) return undefined;
  const end = Math.max(last, head?.sealed.sequence ?? 0);
  return sequence < end ? { sequence: sequence + 1, kind: "removed" } : undefined;
}

function verdict(
  { at, through, checked }: Walk,
  kind?: AuditFinding["kind"],
  sequence = at.sequence,
): AuditVerdict {
  return {
    isIntact: kind === undefined,
    isComplete: false,
    checked,
    through,
    ...(kind && { finding: { sequence, kind } }),
  };
}
