import { PortNumber } from "#contract/ports";
import type { LazyKey } from "../crypto.ts";
import type { Db } from "../db/client.ts";
import { AppError } from "../errors.ts";
import type { Directory } from "../hosts/directory.ts";
import { parseWith } from "../middleware/query.ts";
import { onHost } from "../sandboxes/on-host.ts";
import { readPortAccess } from "../sandboxes/port-access.ts";
import { isHandshake, type PortDeps, sendToPort } from "../sandboxes/ports.ts";
import { type App, type MountDeps, mount } from "./mount.ts";
import { type StreamDeps, tunneling } from "./streams.ts";

type Deps = MountDeps &
  StreamDeps &
  PortDeps & { db: Db; directory: Directory; trafficKey: LazyKey; sandboxDomain: string };

export function mountPorts(app: App, deps: Deps): void {
  mount(app, deps, "readPortAccess", ({ ctx, id }) => readPortAccess(deps, ctx, id));
  mount(app, deps, "usePort", ({ ctx, id, request, params }) => {
    const port = parseWith(PortNumber, params.port);
    const { pathname, search } = new URL(request.url);
    const prefix = `/v1/sandboxes/${id}/ports/${port}`;
    // Written in another way, the address would be cut in the wrong place.
    if (pathname !== prefix && !pathname.startsWith(`${prefix}/`))
      throw new AppError("not_found", "There is nothing at this address.");
    const target = (pathname.slice(prefix.length) || "/") + search;
    const opener = { keyId: ctx.keyId, untilMs: ctx.restrictions.expiresAtMs };
    const wish = { request, port, target, origin: "shared" as const, prefix, ...opener };
    const send = (onEnd?: () => void) =>
      onHost(deps, ctx, id, (place) => sendToPort(deps, ctx, place, { ...wish, ...(onEnd && { onEnd }) }));
    return isHandshake(request) ? tunneling(deps, ctx, send) : send();
  });
}
