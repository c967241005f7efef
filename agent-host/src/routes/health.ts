import { Hono } from "hono";
import type { PoolHealth } from "#contract/host";
import type { HostMetrics } from "../metrics/prometheus.ts";

export type HealthDeps = {
  metrics: Pick<HostMetrics, "registry">;
  health: () => { pools: PoolHealth[]; allocated: number; isDraining: boolean };
};

/** What an operator looks at first; nothing in it names a tenant. */
export function healthRoutes(deps: HealthDeps): Hono {
  const app = new Hono();
  app.get("/healthz", (c) => c.json({ status: "ok", ...deps.health() }));
  app.get("/metrics", async (c) => {
    const { registry } = deps.metrics;
    return c.body(await registry.metrics(), 200, { "content-type": registry.contentType });
  });
  return app;
}
