/** Each class has a bucket of its own, so that reading files never stands in the way of ending a sandbox. */
export const rateClasses = ["control", "data", "create"] as const;
export type RateClass = (typeof rateClasses)[number];

/** What a bucket of tokens holds at most, and what it gets back. */
export type Rate = { capacity: number; perSecond: number };

/** IETF draft `draft-ietf-httpapi-ratelimit-headers`: the limit that holds, and what is left of it. */
export const rateHeaders = { policy: "ratelimit-policy", left: "ratelimit" } as const;
