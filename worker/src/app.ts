import { Hono } from "hono";
import type { Deps } from "./deps.ts";
import { observe } from "./middleware/observe.ts";
import type { HonoEnv } from "./middleware/state.ts";
import { mountAdmin } from "./routes/admin.ts";
import { mountAudit } from "./routes/audit.ts";
import { mountBilling } from "./routes/billing.ts";
import { mountDataPlane } from "./routes/data-plane.ts";
import { mountDocuments } from "./routes/documents.ts";
import { mountExec } from "./routes/exec.ts";
import { mountFallbacks } from "./routes/fallback.ts";
import { mountFiles } from "./routes/files.ts";
import { mountHealth } from "./routes/health.ts";
import { mountInternal } from "./routes/internal.ts";
import { mountKeys } from "./routes/keys.ts";
import { mountMetrics } from "./routes/metrics.ts";
import type { App } from "./routes/mount.ts";
import { mountPorts } from "./routes/ports.ts";
import { mountProcesses } from "./routes/processes.ts";
import { mountRuns } from "./routes/runs.ts";
import { mountSandboxes } from "./routes/sandboxes.ts";

/** The control plane as one fetch handler, the same in every runtime. */
export function createApp(deps: Deps): App {
  const app: App = new Hono<HonoEnv>();
  app.use(observe(deps));
  mountDataPlane(app, deps);
  mountHealth(app, deps);
  mountMetrics(app, deps);
  mountDocuments(app, deps);
  mountSandboxes(app, deps);
  mountExec(app, deps);
  mountProcesses(app, deps);
  mountFiles(app, deps);
  mountPorts(app, deps);
  mountRuns(app, deps);
  mountBilling(app, deps);
  mountAudit(app, deps);
  mountKeys(app, deps);
  mountAdmin(app, deps);
  mountInternal(app, deps);
  mountFallbacks(app);
  return app;
}
