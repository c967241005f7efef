import { listAudit, listAuditRecords } from "../audit/list.ts";
import { verifyAudit } from "../audit/verify.ts";
import { type App, type MountDeps, mount } from "./mount.ts";

type Deps = MountDeps & Parameters<typeof listAudit>[0] & Parameters<typeof verifyAudit>[0];

export function mountAudit(app: App, deps: Deps): void {
  mount(app, deps, "listAudit", ({ ctx, query }) => listAudit(deps, ctx, query));
  mount(app, deps, "listAuditRecords", ({ query }) => listAuditRecords(deps, query));
  mount(app, deps, "verifyAudit", ({ body }) => verifyAudit(deps, body.after));
}
