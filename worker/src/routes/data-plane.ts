import { api } from "#contract/api";
import { hostCodeOf, type KeyId, type SandboxId } from "#contract/ids";
import { portCaller, trafficTokenHeaders } from "#contract/ports";
import { tokenPattern } from "#contract/token";
import type { Keyring } from "../auth/keyring.ts";
import type { Clock, Ctx, RequestCtx } from "../context.ts";
import type { LazyKey } from "../crypto.ts";
import type { Db } from "../db/client.ts";
import { AppError, sandboxNotFound, toAppError, toProblem } from "../errors.ts";
import type { Directory } from "../hosts/directory.ts";
import { confine, requireCaller } from "../middleware/caller.ts";
import { type PortAddress, portAddressOf } from "../middleware/port-address.ts";
import { retryAfter } from "../middleware/problem.ts";
import type { RateDeps } from "../middleware/rate-limit.ts";
import type { HonoContext, RequestState } from "../middleware/state.ts";
import type { PortPlace } from "../providers/provider.ts";
import type { PortVisits } from "../ratelimit/port-visits.ts";
import { isTrafficToken } from "../sandboxes/port-access.ts";
import { isHandshake, type PortDeps, sendToPort } from "../sandboxes/ports.ts";
import type { App } from "./mount.ts";
import { type StreamDeps, tunneling } from "./streams.ts";

type Deps = PortDeps &
  StreamDeps &
  RateDeps & {
    db: Db;
    keyring: Keyring;
    directory: Directory;
    trafficKey: LazyKey;
    sandboxDomain: string;
    now: Clock;
    portVisits: PortVisits;
  };
type Target = Extract<PortAddress, { port: number }>;
/** Of who shows a key, all that is known; of others, what the host asks. */
type Caller = {
  tenantId: PortPlace["tenantId"];
  opener: { keyId: KeyId | null; untilMs: number | null };
  ctx?: Ctx;
};
const keyless = { keyId: null, untilMs: null };

/**
 * Requests that name a sandbox by their host, or by E2B's routing headers, go to it before any route of ours is looked
 * at: paths such as `/healthz` are the server's there.
 */
export function mountDataPlane(app: App, deps: Deps): void {
  app.use(async (c, next) => {
    const address = portAddressOf(c.req.url, c.req.raw.headers, deps.sandboxDomain);
    if (!address) return next();
    const state = c.get("state");
    state.route = "portByName";
    if ("fault" in address) return refusal(c, address, new AppError("invalid_request", address.fault));
    state.facts.sandboxId = address.sandboxId;
    try {
      const answer = await serve(deps, state, address, c.req.raw);
      state.isTenantsOwn = address.origin === "own";
      return answer;
    } catch (error) {
      return refusal(c, address, toAppError(error));
    }
  });
}

async function serve(deps: Deps, state: RequestState, target: Target, request: Request): Promise<Response> {
  const { sandboxId, port, origin } = target;
  const caller = await callerOf(deps, state, sandboxId, request.headers);
  const place = await placeFor(deps, state.ctx, sandboxId, caller.tenantId);
  const { pathname, search } = new URL(request.url);
  const wish = { request, port, target: pathname + search, origin, prefix: "", ...caller.opener };
  if (!caller.ctx || !isHandshake(request)) return sendToPort(deps, state.ctx, place, wish);
  return tunneling(deps, caller.ctx, (onEnd) => sendToPort(deps, state.ctx, place, { ...wish, onEnd }));
}

const ours = new RegExp(`^(?:bearer )?(e2b_[0-9a-f]{40}|${tokenPattern.source})$`, "i");

/** A key, or a token of the sandbox, or nothing; a wrong one is refused, since it was meant to open something. */
async function callerOf(deps: Deps, state: RequestState, id: SandboxId, headers: Headers): Promise<Caller> {
  const keys = ["authorization", "x-api-key"].flatMap(
    (name) => ours.exec(headers.get(name) ?? "")?.[1] ?? [],
  );
  const [key] = keys;
  if (key !== undefined) {
    const shown = new Headers({ authorization: `Bearer ${key}` });
    const ctx = await requireCaller(deps, state, shown, api.usePort);
    confine(ctx, {}, id);
    const opener = { keyId: ctx.keyId, untilMs: ctx.restrictions.expiresAtMs };
    return { tenantId: ctx.tenantId, opener, ctx };
  }
  const token = trafficTokenHeaders.map((name) => headers.get(name)).find((sent) => sent !== null) ?? null;
  const isHolder = token !== null && (await isTrafficToken(deps, id, token));
  deps.portVisits.take(id, isHolder ? "holder" : "anyone");
  if (isHolder) return { tenantId: portCaller.tokenHolder, opener: keyless };
  if (token === null) return { tenantId: portCaller.anyone, opener: keyless };
  throw new AppError("forbidden", "This is not the traffic token of the sandbox.");
}

async function placeFor(
  { directory }: Deps,
  ctx: RequestCtx,
  sandboxId: SandboxId,
  tenantId: PortPlace["tenantId"],
): Promise<PortPlace> {
  const code = hostCodeOf(sandboxId);
  const host = code === null ? undefined : await directory.byCode(ctx, code);
  if (!host) throw sandboxNotFound();
  return { sandboxId, tenantId, hostId: host.id, url: host.url };
}

/** As E2B's clients expect it: what cannot be reached is a 502 that says what was looked for. */
function refusal(c: HonoContext, address: PortAddress, error: AppError): Response {
  const state = c.get("state");
  state.code = error.code;
  if (error.cause !== undefined) state.cause = error.cause;
  const isGone = error.code === "sandbox_not_found" || error.code === "sandbox_ended";
  const isClosed = error.code === "port_closed";
  const status = isGone ? 502 : toProblem(error, "").status;
  const message = isGone
    ? "The sandbox was not found"
    : isClosed
      ? "The sandbox is running but port is not open"
      : error.message;
  const port = isClosed && "port" in address ? { port: address.port } : {};
  const headers = {
    "x-content-type-options": "nosniff",
    ...(status === 429 && { "retry-after": String(retryAfter(error)) }),
  };
  return Response.json({ sandboxId: address.sandboxId, message, ...port, code: status }, { status, headers });
}
