import type { MiddlewareHandler } from "hono";
import { newRequestId } from "#contract/ids";
import { methodLabel } from "#contract/metrics";
import { requestIdHeader } from "#contract/signature";
import type { Background, Clock } from "../context.ts";
import { describeError, type Log } from "../log.ts";
import type { Recorder } from "../metrics/recorder.ts";
import { sayRate } from "./rate-limit.ts";
import type { HonoEnv, RequestState } from "./state.ts";

type Deps = { log: Log; now: Clock; background: Background; recorder: Recorder | undefined };

/** Names each request, and logs one event about it when it is answered. No hop. Headers and bodies are never logged. */
export function observe(deps: Deps): MiddlewareHandler<HonoEnv> {
  return async (c, next) => {
    const facts: RequestState["facts"] = {};
    const requestId = newRequestId();
    const startedMs = performance.now();
    const state: RequestState = {
      ctx: {
        requestId,
        signal: () => c.req.raw.signal,
        background: deps.background,
        note: (name, value) => {
          facts[name] = value;
        },
      },
      startedAtMs: deps.now(),
      route: "unmatched",
      facts,
    };
    c.set("state", state);
    await next();
    // Not `c.header`, which would copy the answer, its body included.
    c.res.headers.set(requestIdHeader, requestId);
    if (!state.isTenantsOwn) c.res.headers.set("cache-control", "no-store");
    if (state.drawn && !state.isTenantsOwn) sayRate(c.res.headers, state.drawn.verdict);
    const labels = { route: state.route, method: methodLabel(c.req.method), status: c.res.status };
    if (state.code === "rate_limited") deps.recorder?.refused(state.drawn?.draw.rateClass ?? "port");
    else if (state.code === "too_many_streams") deps.recorder?.refused("streams");
    deps.recorder?.request(labels, (performance.now() - startedMs) / 1000);
    deps.log(eventOf(state, c.req.method, c.res.status, deps.now()));
  };
}

function eventOf(state: RequestState, method: string, status: number, nowMs: number) {
  return {
    level: status === 500 ? ("error" as const) : status > 500 ? ("warn" as const) : ("info" as const),
    event: "request",
    requestId: state.ctx.requestId,
    route: state.route,
    method,
    status,
    durationMs: nowMs - state.startedAtMs,
    ...(state.code && { code: state.code }),
    ...(state.caller && { tenantId: state.caller.tenantId, keyId: state.caller.keyId }),
    ...state.facts,
    ...(state.cause !== undefined && { cause: describeError(state.cause) }),
  };
}
