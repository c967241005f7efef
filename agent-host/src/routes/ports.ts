import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import type { Hono } from "hono";
import { bodyBytesIn, openerIn, portAddress } from "../ports/address.ts";
import { admit } from "../ports/admit.ts";
import { exchange, type PortDeps } from "../ports/exchange.ts";
import type { Registry } from "../sandboxes/registry.ts";
import type { SignedEnv } from "./signed.ts";
import type { UploadEnv } from "./upload.ts";

export type PortRouteDeps = PortDeps & { registry: Registry };
type Env = SignedEnv & UploadEnv;

const bodiless = ["GET", "HEAD", "OPTIONS", "DELETE"];

/** Requests to servers in sandboxes, of any method. Node's own streams carry them, so nothing holds a whole body. */
export function portRoutes(app: Hono<Env>, deps: PortRouteDeps): void {
  app.all("/:id/ports/:port/*", async (c) => {
    c.set("isPassedOn", true);
    const { incoming, outgoing } = c.env;
    const { sandboxId, port, target } = portAddress(new URL(c.req.url), c.get("sandbox"));
    const live = admit(deps.registry, sandboxId, c.get("tenantId"));
    const { method, raw } = c.req;
    const body = c.get("body");
    const bodyBytes = bodyBytesIn(raw.headers);
    const own = ownHeaders(method, body, bodyBytes);
    const asked = {
      question: { port, method, target, headers: [...raw.headers], own },
      opener: openerIn((name) => c.req.header(name)),
      body,
      bodyBytes,
    };
    c.set("passedOnStatus", await exchange(deps, live, asked, { incoming, outgoing }));
    return RESPONSE_ALREADY_SENT;
  });
}

/** What says where a body ends: one way of saying it, and never two. */
function ownHeaders(
  method: string,
  body: Buffer | undefined,
  bodyBytes: number | undefined,
): Record<string, string> {
  if (body?.length === 0 && bodiless.includes(method)) return {};
  const bytes = body?.length ?? bodyBytes;
  return bytes === undefined ? { "transfer-encoding": "chunked" } : { "content-length": String(bytes) };
}
