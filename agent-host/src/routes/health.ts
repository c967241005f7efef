import { Hono } from "hono";
import type { PoolHealth } from "#contract/host";

export type HealthDeps = {
  health: () => { pools: PoolHealth[]; allocated: number; isDraining: boolean };
};

/** What an operator looks at first; nothing in it names a tenant. */
export function healthRoutes(deps: HealthDeps): Hono {
  const app = new Hono();
  app.get("/healthz", (c) => c.json({ status: "ok", ...deps.health() }));
  return app;
}
