import type { ApiRow } from "#contract/api";
import { rateHeaders } from "#contract/rate";
import type { FoundKey } from "../auth/store.ts";
import { AppError } from "../errors.ts";
import type { Draw, RateLimiter, Verdict } from "../ratelimit/limiter.ts";
import type { RequestState } from "./state.ts";

export type RateDeps = { limiter: RateLimiter };
type Key = Pick<FoundKey, "id" | "tenantId" | "rates" | "rate">;

/**
 * Takes what the row costs from the buckets of the tenant and the key. Who asks is known by the key alone: no address and
 * no header of a proxy is looked at. No hop on Node; at the edge none for data, one for the rest.
 * @throws AppError `rate_limited`, `unavailable`
 */
export function limitRate(
  deps: RateDeps,
  state: RequestState,
  key: Key,
  row: Pick<ApiRow, "rateClass" | "tokens">,
): Promise<void> | void {
  if (row.tokens === 0) return;
  const rateClass = row.rateClass ?? "control";
  const own = key.rate && {
    id: key.id,
    rate: { perSecond: key.rate.requestsPerSecond, capacity: key.rate.burst },
  };
  const rate = key.rates[rateClass];
  const { tenantId } = key;
  return pay(deps, state, { tenantId, rateClass, rate, key: own, cost: row.tokens, paid: 0 });
}

/**
 * Takes the rest where a request costs its tokens several times; once they have been taken already.
 * @param name the member of the body that says how many times
 * @throws AppError `rate_limited`, `unavailable`
 */
export async function limitTimes(
  deps: RateDeps,
  state: RequestState,
  name: string,
  body: unknown,
): Promise<void> {
  const times = typeof body === "object" && body !== null ? Number(Reflect.get(body, name)) : Number.NaN;
  const draw = state.drawn?.draw;
  if (draw && times > 1) await pay(deps, state, { ...draw, cost: draw.cost * times, paid: draw.cost });
}

/** Without a promise where the limiter needs none. */
function pay(deps: RateDeps, state: RequestState, draw: Draw): Promise<void> | void {
  const verdict = deps.limiter.take(state.ctx, draw);
  if (verdict instanceof Promise) return verdict.then((late) => settle(state, draw, late));
  settle(state, draw, verdict);
}

function settle(state: RequestState, draw: Draw, verdict: Verdict): void {
  state.drawn = { draw, verdict };
  const { isAllowed, rate, remaining, retryAfterMs } = verdict;
  if (!isAllowed) throw rateLimited({ class: draw.rateClass, limit: rate.capacity, remaining, retryAfterMs });
}

export function rateLimited(facts: {
  class: string;
  limit: number;
  remaining: number;
  retryAfterMs: number;
}): AppError {
  return new AppError("rate_limited", "Send this again after the time in Retry-After.", { facts });
}

/** Says the limit that holds, and what is left of it, on every answer that drew on it. */
export function sayRate(headers: Headers, { policy, rate, remaining, retryAfterMs }: Verdict): void {
  const { capacity, perSecond } = rate;
  const seconds = (tokens: number) => Math.ceil(tokens / perSecond);
  const untilMore = retryAfterMs > 0 ? Math.ceil(retryAfterMs / 1000) : seconds(capacity - remaining);
  headers.set(
    rateHeaders.policy,
    `"${policy}";q=${Math.floor(capacity)};w=${Math.max(1, seconds(capacity))}`,
  );
  headers.set(rateHeaders.left, `"${policy}";r=${remaining};t=${untilMore}`);
}
