/** What the decisions about one template are made from. */
export type PoolFacts = {
  available: number;
  /** Starting, or away to be parked or looked at. */
  coming: number;
  /** Creates that wait for a member of this template. */
  waiting: number;
  min: number;
  /** What there should be now: `target.ts` decides. */
  target: number;
  /** Members of this template, warm, coming and leased. */
  total: number;
  max: number;
  /** Members of the default size that memory still has room for. */
  roomByMemory: number;
  /** Starts under way for all templates, and how many there may be. */
  inFlight: number;
  startsMax: number;
  /** Commands run in live sandboxes. */
  isBusy: boolean;
};

/** How many members to start now. */
export function startsWanted(facts: PoolFacts): number {
  const missing = facts.waiting + facts.target - facts.available - facts.coming;
  const room = Math.min(roomOf(facts), parallelStarts(facts) - facts.inFlight);
  return Math.max(0, Math.min(missing, room));
}

/** Members that there is room for. */
export function roomOf(facts: Pick<PoolFacts, "max" | "total" | "roomByMemory">): number {
  return Math.max(0, Math.min(facts.max - facts.total, facts.roomByMemory));
}

/**
 * How many starts may be under way. A start keeps a core busy for 0.15 s, which doubles the latency of whatever else
 * runs when there are four: those are for creates that wait, and for a pool that is nearly empty while nobody works.
 * What nobody waits for is made one by one, and faster the more is missing; half as fast while live sandboxes work.
 */
export function parallelStarts(facts: PoolFacts): number {
  if (isUrgent(facts)) return facts.startsMax;
  const share = 1 - facts.available / Math.max(1, facts.target);
  const most = facts.isBusy ? Math.ceil(facts.startsMax / 2) : facts.startsMax;
  return Math.max(1, Math.min(most, Math.floor(facts.startsMax * share)));
}

/** A burst that has emptied the pool is at work right then, and who comes next while it is will say so by waiting. */
function isUrgent({ waiting, available, min, target, isBusy }: UrgencyFacts): boolean {
  return waiting > 0 || (available < Math.min(min, target) && !isBusy);
}
type UrgencyFacts = Pick<PoolFacts, "waiting" | "available" | "min" | "target" | "isBusy">;

/** A core's time right after a hand-out belongs to the first command in that sandbox. */
const quietMs = 200;
/** Creates that never pause must not keep the pool empty. */
const postponedMaxMs = 1_000;

export type PaceFacts = UrgencyFacts & {
  sinceHandOutMs: number;
  /** How long the refill has been put off. */
  postponedMs: number;
};

/** How long the refill of a template may still wait. */
export function refillDelayMs(facts: PaceFacts): number {
  if (isUrgent(facts)) return 0;
  const untilQuietMs = Math.max(0, quietMs - facts.sinceHandOutMs);
  const delayMs = facts.available * 2 < facts.target ? untilQuietMs : quietMs;
  return Math.max(0, Math.min(delayMs, postponedMaxMs - facts.postponedMs));
}

/** How long to wait before the next try after `failures` failed starts in a row. */
export function retryDelayMs(failures: number): number {
  return Math.min(30_000, 500 * 2 ** Math.min(failures, 6));
}

const retryAfterMaxSeconds = 60;
/** Nobody knows when a sandbox of a full host will end. */
const fullRetrySeconds = 5;

/** When it makes sense for a refused create to come back: when those who wait have been served, as far as can be told. */
export function retryAfterSeconds(facts: { waiting: number; refillPerSecond: number; room: number }): number {
  if (facts.room === 0) return fullRetrySeconds;
  const seconds = Math.ceil((facts.waiting + 1) / Math.max(0.001, facts.refillPerSecond));
  return Math.min(retryAfterMaxSeconds, Math.max(1, seconds));
}
