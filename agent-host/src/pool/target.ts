export type TargetFacts = {
  min: number;
  target: number;
  max: number;
  /** Warm members that the cost ceiling leaves to this template. */
  ceiling: number;
  /** Creates per second, and members that can be made per second. */
  ratePerSecond: number;
  refillPerSecond: number;
  lookAheadSeconds: number;
  /** Nothing has come for long, and cleaning up is wanted. */
  isQuiet: boolean;
};

/**
 * How many warm members there should be: what is set, or as many as will be asked for while that is being refilled,
 * if those are more. In quiet times the minimum. Never above the maximum and the cost ceiling.
 */
export function targetOf(facts: TargetFacts): number {
  const baseline = facts.isQuiet ? facts.min : Math.max(facts.min, facts.target);
  const ahead = Math.round(facts.ratePerSecond * refillSeconds(facts, baseline));
  return Math.max(0, Math.min(Math.max(baseline, ahead), facts.max, facts.ceiling));
}

/**
 * The time until `baseline` members are there again when all have gone and creates keep taking. Where they come as
 * fast as members can be made that is never: then it is the bound.
 */
function refillSeconds(facts: TargetFacts, baseline: number): number {
  const netPerSecond = facts.refillPerSecond - facts.ratePerSecond;
  if (netPerSecond <= 0) return facts.lookAheadSeconds;
  return Math.min(facts.lookAheadSeconds, Math.max(1, baseline) / netPerSecond);
}
