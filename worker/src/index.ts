import { waitUntil } from "cloudflare:workers";
import type { ExecutionContext } from "@cloudflare/workers-types";
import type { TenantId } from "#contract/ids";
import { resolveSettings } from "#contract/settings";
import { createApp } from "./app.ts";
import type { Background } from "./context.ts";
import { openEdgeClient } from "./db/edge.ts";
import { type Deps, makeDeps } from "./deps.ts";
import { configFrom } from "./env.ts";
import { AppError, toProblem } from "./errors.ts";
import { runSweep } from "./jobs.ts";
import { describeError, type Log, type LogLevel, lineLog } from "./log.ts";
import { edgeLimiter, type LimiterObject } from "./ratelimit/edge.ts";
import type { App } from "./routes/mount.ts";

export { Limiter } from "./limiter.ts";

/** Variables and secrets are strings, bindings are not. */
type Env = Record<string, unknown>;
type ControlPlane = { app: App; deps: Deps };

/** Made by the first event that an isolate serves: before that there is neither an environment nor randomness. */
let made: ControlPlane | undefined;

export default {
  async fetch(request: Request, env: Env, ctx: Pick<ExecutionContext, "waitUntil">): Promise<Response> {
    const controlPlane = controlPlaneOf(env);
    if (!controlPlane) return unconfigured();
    const answered = Promise.resolve(controlPlane.app.fetch(request));
    // A caller who goes away must not cut off a create between its row and its host.
    ctx.waitUntil(answered.catch(() => undefined));
    return answered;
  },

  async scheduled(_event: unknown, env: Env): Promise<void> {
    const controlPlane = controlPlaneOf(env);
    if (controlPlane) await runSweep(controlPlane.deps);
  },
};

function controlPlaneOf(env: Env): ControlPlane | undefined {
  try {
    made ??= makeControlPlane(env);
  } catch (error) {
    logAt("error")({ level: "error", event: "configuration", cause: describeError(error) });
  }
  return made;
}

/** @throws Error with one sentence when a setting is missing or cannot be used */
function makeControlPlane(env: Env): ControlPlane {
  const { values } = resolveSettings(textsOf(env));
  if (values.SANDGATE_DATABASE_URL === "") throw new Error("SANDGATE_DATABASE_URL is missing.");
  const log = logAt(values.SANDGATE_LOG_LEVEL);
  const deps = makeDeps({
    client: openEdgeClient(values.SANDGATE_DATABASE_URL, values.SANDGATE_DATABASE_TOKEN),
    config: configFrom(values),
    log,
    background: backgroundWith(log),
    limiter: edgeLimiter({ objectOf: limiterObjects(env), now: Date.now }),
  });
  return { app: createApp(deps), deps };
}

/** @throws Error when the binding of `wrangler.toml` is missing */
function limiterObjects({ LIMITER: objects }: Env): (tenantId: TenantId) => LimiterObject {
  if (typeof objects !== "object" || objects === null || !("getByName" in objects))
    throw new Error("The binding LIMITER is missing.");
  // The runtime's own type of it: calls of the stub's methods are calls of the object's.
  const { getByName } = objects as { getByName(name: string): LimiterObject };
  return (tenantId) => getByName.call(objects, tenantId);
}

function textsOf(env: Env): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}

function logAt(level: LogLevel): Log {
  const log = lineLog(level, (line) => console.log(line), Date.now);
  return (event) => log({ service: "control-plane", ...event });
}

function backgroundWith(log: Log): Background {
  return (name, work) =>
    waitUntil(
      work.catch((error) => log({ level: "error", event: "background", name, cause: describeError(error) })),
    );
}

/** What is wrong is for the log: it may hold a value. */
function unconfigured(): Response {
  const error = new AppError(
    "unavailable",
    "The service is not configured. Its operator has to look at its log.",
  );
  return Response.json(toProblem(error, "unconfigured"), {
    status: 503,
    headers: { "content-type": "application/problem+json" },
  });
}
