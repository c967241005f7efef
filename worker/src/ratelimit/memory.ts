import type { Rate } from "#contract/rate";
import type { Clock } from "../context.ts";
import { Buckets } from "./buckets.ts";
import { bucketsOf, type Draw, exactly, type RateLimiter, verdictOf } from "./limiter.ts";

/** Tenants and keys that have lately asked, and whose buckets are not full again. */
const entriesMax = 100_000;

/**
 * Buckets in this process's memory.
 * @param processes how many serve the same tenants: each has this part of every bucket
 */
export function memoryLimiter(deps: { now: Clock; processes: number }): RateLimiter {
  const buckets = new Buckets(entriesMax);
  const share = ({ capacity, perSecond }: Rate): Rate => ({
    capacity: Math.max(1, capacity / deps.processes),
    perSecond: perSecond / deps.processes,
  });
  const shared = (draw: Draw): Draw =>
    deps.processes === 1
      ? draw
      : { ...draw, rate: share(draw.rate), key: draw.key && { ...draw.key, rate: share(draw.key.rate) } };
  return {
    take(_ctx, asked) {
      const draw = shared(asked);
      const wanted = bucketsOf(draw);
      const grant = buckets.take(wanted, exactly(draw), deps.now());
      return verdictOf(draw, wanted, grant);
    },
  };
}
