import type { KeyId, TenantId } from "#contract/ids";
import type { Rate, RateClass } from "#contract/rate";
import type { RequestCtx } from "../context.ts";
import type { Grant, Wanted, Wish } from "./buckets.ts";

/** What a request costs, and who pays: the tenant, and besides it the key, where it has a rate of its own. */
export type Draw = {
  tenantId: TenantId;
  rateClass: RateClass;
  rate: Rate;
  key: { id: KeyId; rate: Rate } | null;
  cost: number;
  /** What of the cost was taken before, once the rest is known. */
  paid: number;
};

export type Verdict = {
  isAllowed: boolean;
  /** Which limit holds: the class's, or the key's own. */
  policy: RateClass | "key";
  rate: Rate;
  /** Whole tokens that are left; at the edge, of what the isolate knows. */
  remaining: number;
  /** 0 where the request is allowed. */
  retryAfterMs: number;
};

/** Where the buckets are. Both kinds are held to one suite of conformance. */
export type RateLimiter = {
  /** @throws AppError `unavailable` where nobody can say, and going on would make something */
  take(ctx: Pick<RequestCtx, "background">, draw: Draw): Verdict | Promise<Verdict>;
};

/** The buckets that a request draws from, the tenant's first. */
export function bucketsOf({ tenantId, rateClass, rate, key }: Draw): Wanted[] {
  const ofTenant = { name: `${tenantId}:${rateClass}`, rate };
  return key ? [ofTenant, { name: key.id, rate: key.rate }] : [ofTenant];
}

export function exactly({ cost, paid }: Draw): Wish {
  return { least: cost, most: cost, paid, returned: 0 };
}

export function verdictOf(draw: Draw, wanted: readonly Wanted[], grant: Omit<Grant, "tokens">): Verdict {
  const { isAllowed, tightest, remaining, retryAfterMs } = grant;
  const policy = tightest === 0 ? draw.rateClass : "key";
  return { isAllowed, policy, rate: wanted[tightest]?.rate ?? draw.rate, remaining, retryAfterMs };
}
