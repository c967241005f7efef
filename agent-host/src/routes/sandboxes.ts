import { Hono } from "hono";
import { HostCreate, HostPatch } from "#contract/host";
import { SandboxId } from "#contract/ids";
import { HostError } from "../errors.ts";
import type { HostMetrics } from "../metrics/prometheus.ts";
import type { Sampler } from "../metrics/sampler.ts";
import { type CreateDeps, createSandbox } from "../sandboxes/create.ts";
import { endSandbox } from "../sandboxes/end.ts";
import type { ExecStreamDeps } from "../sandboxes/exec-stream.ts";
import { patchSandbox } from "../sandboxes/patch.ts";
import { execRoutes } from "./exec.ts";
import { fileRoutes } from "./files.ts";
import { logged } from "./logged.ts";
import { type Find, parseBody } from "./parse.ts";
import { type PortRouteDeps, portRoutes } from "./ports.ts";
import { processRoutes } from "./processes.ts";
import { type SignedDeps, type SignedEnv, signed } from "./signed.ts";
import { settleUpload, type UploadEnv } from "./upload.ts";

type RouteEnv = SignedEnv & UploadEnv;
export type SandboxRouteDeps = CreateDeps &
  ExecStreamDeps &
  PortRouteDeps &
  SignedDeps & { sampler: Pick<Sampler, "metricsOf">; metrics: Pick<HostMetrics, "requests" | "leases"> };

/** One line per verb: the signed tenant decides what is found, the id in the path must be the signed one. */
export function sandboxRoutes(deps: SandboxRouteDeps): Hono<RouteEnv> {
  const app = new Hono<RouteEnv>();
  const find: Find<RouteEnv> = (c) => {
    const id = SandboxId.safeParse(c.req.param("id"));
    if (!id.success || id.data !== c.get("sandbox"))
      throw new HostError("sandbox_not_found", "Check the sandbox id.");
    const live = deps.registry.find(id.data, c.get("tenantId"));
    const generation = c.get("generation");
    // An order about an older life of an id must not touch a newer one; commands and files go to whichever lives.
    if (generation !== "-" && generation !== String(live.lease.generation)) {
      throw new HostError("conflict", "The sandbox has another generation by now.");
    }
    return live;
  };
  app.use("*", logged(deps), settleUpload, signed(deps));

  app.post("/", async (c) => {
    const input = parseBody(HostCreate, c.get("body"));
    const isSigned = input.sandboxId === c.get("sandbox") && input.tenantId === c.get("tenantId");
    if (!isSigned)
      throw new HostError("invalid_request", "The body and the signature name different sandboxes.");
    const created = await createSandbox(deps, input);
    deps.metrics.leases.observe({ source: created.source }, created.leaseMs / 1000);
    return c.json(created, 201);
  });
  app.get("/:id/metrics", (c) => c.json(deps.sampler.metricsOf(find(c))));
  app.patch("/:id", (c) => {
    patchSandbox(deps, find(c), parseBody(HostPatch, c.get("body")));
    return c.body(null, 204);
  });
  app.delete("/:id", async (c) => c.json(await endSandbox(deps, find(c), "killed")));
  execRoutes(app, deps, find);
  processRoutes(app, deps, find);
  fileRoutes(app, deps, find);
  portRoutes(app, deps);
  return app;
}
