import { type Context, Hono } from "hono";
import type { Logger } from "pino";
import { requestIdHeader } from "#contract/signature";
import { HostError } from "../errors.ts";
import { loggablePath } from "../ports/address.ts";
import { problemOf } from "../problem.ts";
import { type HealthDeps, healthRoutes } from "./health.ts";
import { type SandboxRouteDeps, sandboxRoutes } from "./sandboxes.ts";

export type AppDeps = SandboxRouteDeps & HealthDeps & { log: Logger };

/** The host's HTTP surface: health for everyone on loopback, the rest signed by the control plane. */
export function createHostApp(deps: AppDeps): Hono {
  const app = new Hono();
  app.route("/", healthRoutes(deps));
  app.route("/v1/sandboxes", sandboxRoutes(deps));
  app.notFound((c) => problem(c, new HostError("not_found", "Check the address.")));
  app.onError((cause, c) => {
    if (cause instanceof HostError) return problem(c, cause);
    deps.log.error(
      { err: cause, path: loggablePath(c.req.path), requestId: c.req.header(requestIdHeader) },
      "a request failed",
    );
    return problem(c, new HostError("internal", "Something failed on the host; try again."));
  });
  return app;
}

function problem(c: Context, error: HostError): Response {
  const body = problemOf(error, c.req.header(requestIdHeader) ?? "");
  const { retryAfterSeconds } = error.facts ?? {};
  return new Response(JSON.stringify(body), {
    status: error.status,
    headers: {
      "content-type": "application/problem+json",
      ...(retryAfterSeconds !== undefined && { "retry-after": String(retryAfterSeconds) }),
    },
  });
}
