/** What the refill decision is made from; `allocated` and the limits count for the whole host. */
export type PoolFacts = {
  available: number;
  starting: number;
  /** Creates that wait for a member of this template. */
  waiting: number;
  min: number;
  target: number;
  /** Members of all templates, warm, starting and leased. */
  total: number;
  max: number;
  /** Members of the default size that memory still has room for. */
  roomByMemory: number;
  /** Starts under way for all templates. */
  inFlight: number;
};

/** Above about four at once a start only gets slower: the engine is CPU bound on two cores. */
export const startsInFlightMax = 4;
/** What nobody waits for is made one by one, so that it does not slow down those who work. */
const backgroundStartsMax = 1;

/** How many members to start now. */
export function startsWanted(facts: PoolFacts): number {
  const missing = facts.waiting + facts.target - facts.available - facts.starting;
  const isUrgent = facts.waiting > 0 || facts.available < facts.min;
  const inFlightMax = isUrgent ? startsInFlightMax : backgroundStartsMax;
  const room = Math.min(facts.max - facts.total, facts.roomByMemory, inFlightMax - facts.inFlight);
  return Math.max(0, Math.min(missing, room));
}

/** How long to wait before the next try after `failures` failed starts in a row. */
export function retryDelayMs(failures: number): number {
  return Math.min(30_000, 500 * 2 ** Math.min(failures, 6));
}
