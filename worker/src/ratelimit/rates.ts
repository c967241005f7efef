import type { LimitOverrides, TenantLimits } from "#contract/plan";
import type { Rate, RateClass } from "#contract/rate";

export type TenantRates = Record<RateClass, Rate>;

/**
 * The rates of a tenant's classes.
 * @param limits its plan's with its overrides
 * @param overrides its own alone: a rate for all calls that is said without one for a class holds for that class too
 */
export function ratesOf(limits: TenantLimits, overrides: LimitOverrides): TenantRates {
  const { requestsPerSecond: perSecond, burst: capacity } = overrides;
  return {
    control: { perSecond: limits.requestsPerSecond, capacity: limits.burst },
    data: {
      perSecond: overrides.dataRequestsPerSecond ?? perSecond ?? limits.dataRequestsPerSecond,
      capacity: overrides.dataBurst ?? capacity ?? limits.dataBurst,
    },
    create: {
      perSecond: overrides.createsPerSecond ?? perSecond ?? limits.createsPerSecond,
      capacity: overrides.createBurst ?? capacity ?? limits.createBurst,
    },
  };
}
