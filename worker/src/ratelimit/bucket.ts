import type { Rate } from "#contract/rate";

/** Tokens, of which there may be parts, as they were at a time in milliseconds. */
export type Bucket = { tokens: number; atMs: number };
export type Drawn = { bucket: Bucket; isAllowed: boolean; remaining: number; retryAfterMs: number };

/** Sums of parts come out a little short of the whole. */
const tolerance = 1e-6;

/**
 * The bucket at another time; nobody's bucket is full. A clock that goes back adds nothing, and time counts on from where
 * it went to: nobody is locked out until the clock has caught up.
 */
export function refill(bucket: Bucket | undefined, rate: Rate, nowMs: number): Bucket {
  if (!bucket) return { tokens: rate.capacity, atMs: nowMs };
  const elapsedMs = Math.max(0, nowMs - bucket.atMs);
  const tokens = bucket.tokens + (elapsedMs / 1000) * rate.perSecond;
  return { tokens: Math.min(rate.capacity, tokens), atMs: nowMs };
}

/**
 * Takes tokens from a bucket if it has them, and says what is left, and after how many milliseconds there would be enough.
 * A cost above the capacity is the whole bucket, so that such a request can ever pass.
 * @param paid what was taken for the same request before; who tries again pays it again
 */
export function draw(
  bucket: Bucket | undefined,
  rate: Rate,
  { cost, paid = 0 }: { cost: number; paid?: number },
  nowMs: number,
): Drawn {
  const { tokens } = refill(bucket, rate, nowMs);
  const whole = Math.min(cost, rate.capacity);
  const isAllowed = whole - paid - tokens <= tolerance;
  const left = isAllowed ? Math.min(tokens, Math.max(0, tokens + paid - whole)) : tokens;
  return {
    bucket: { tokens: left, atMs: nowMs },
    isAllowed,
    remaining: Math.floor(left + tolerance),
    retryAfterMs: isAllowed ? 0 : Math.ceil(((whole - tokens) / rate.perSecond) * 1000),
  };
}
