import { createMiddleware } from "hono/factory";
import { routePath } from "hono/route";
import type { Logger } from "pino";
import { methodLabel } from "#contract/metrics";
import { requestIdHeader } from "#contract/signature";
import type { HostMetrics } from "../metrics/prometheus.ts";
import type { SignedEnv } from "./signed.ts";

/** The header is not signed, so it is only taken for what it says when it looks like one. */
const requestIdPattern = /^req_[a-z0-9]{20}$/;

/**
 * One line for each signed request, under the id that the control plane logged it with. A streamed answer is logged
 * when it begins. Headers, paths of files, commands and bodies are never logged.
 */
export function logged({ log, metrics }: { log: Logger; metrics: Pick<HostMetrics, "requests"> }) {
  return createMiddleware<SignedEnv>(async (c, next) => {
    const startedMs = performance.now();
    await next();
    // Who did not prove to be the control plane has a line of its own, and nothing of it is to be believed.
    if (c.get("tenantId") === undefined) return;
    const requestId = c.req.header(requestIdHeader) ?? "";
    const durationMs = performance.now() - startedMs;
    const route = routePath(c, -1);
    const { method } = c.req;
    const status = c.get("passedOnStatus") ?? c.res.status;
    metrics.requests.observe({ route, method: methodLabel(method), status }, durationMs / 1000);
    log.info({
      event: "request",
      ...(requestIdPattern.test(requestId) && { requestId }),
      route,
      method,
      status,
      durationMs: Math.round(durationMs * 1000) / 1000,
      tenantId: c.get("tenantId"),
      sandboxId: c.get("sandbox"),
    });
  });
}
