import { listAudit } from "../audit/list.ts";
import { type App, type MountDeps, mount } from "./mount.ts";

type Deps = MountDeps & Parameters<typeof listAudit>[0];

export function mountAudit(app: App, deps: Deps): void {
  mount(app, deps, "listAudit", ({ ctx, query }) => listAudit(deps, ctx, query));
}
