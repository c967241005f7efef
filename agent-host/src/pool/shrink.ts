export type ShrinkFacts = {
  available: number;
  waiting: number;
  target: number;
  isQuiet: boolean;
  /** How long there have been more than the target. */
  surplusMs: number;
  quietMs: number;
};

/** At most this many are ended at a look: each costs the engine some 50 ms of a core. */
const endedAtOnceMax = 2;

/** How many warm members to end now: what was made for a burst stays for as long as another one may follow. */
export function endsWanted(facts: ShrinkFacts): number {
  const surplus = facts.available - facts.target;
  if (surplus <= 0 || facts.waiting > 0) return 0;
  return facts.isQuiet || facts.surplusMs >= facts.quietMs ? Math.min(surplus, endedAtOnceMax) : 0;
}
