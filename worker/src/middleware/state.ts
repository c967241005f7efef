import type { Context } from "hono";
import type { ErrorCode } from "#contract/errors";
import type { Ctx, RequestCtx } from "../context.ts";
import type { Draw, Verdict } from "../ratelimit/limiter.ts";

/** What one request has come to know, for its one log event. */
export type RequestState = {
  ctx: RequestCtx;
  startedAtMs: number;
  route: string;
  facts: Record<string, string | number | boolean>;
  /** The answer is a tenant's on a host name of its own: how long it may be kept is the tenant's to say. */
  isTenantsOwn?: boolean;
  caller?: Ctx;
  /** What was drawn from the tenant's bucket, and what came of it; the last answer where there were several. */
  drawn?: { draw: Draw; verdict: Verdict };
  code?: ErrorCode;
  /** Kept for the log; never answered. */
  cause?: unknown;
};

export type HonoEnv = { Variables: { state: RequestState } };
export type HonoContext = Context<HonoEnv>;
