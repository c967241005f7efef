import { byOperator } from "../audit/store.ts";
import { createTenantKey } from "../auth/create-key.ts";
import { listKeys } from "../auth/list-keys.ts";
import { revokeAnyKey } from "../auth/revoke-key.ts";
import { drainHost } from "../hosts/drain.ts";
import { getHost, listHostSandboxes, listHostsForOperator } from "../hosts/list.ts";
import { removeHost } from "../hosts/remove.ts";
import { createTenantWithKey } from "../tenants/create-with-key.ts";
import { getTenant, requireTenant } from "../tenants/get.ts";
import { listTenants } from "../tenants/list.ts";
import { patchTenant } from "../tenants/patch.ts";
import { deletePlan, getPlan, listPlans, putPlan } from "../tenants/plans.ts";
import { deleteTenant, resumeTenant, suspendTenant } from "../tenants/standing.ts";
import { type App, type MountDeps, mount } from "./mount.ts";

type Deps = MountDeps &
  Parameters<typeof createTenantWithKey>[0] &
  Parameters<typeof createTenantKey>[0] &
  Parameters<typeof listTenants>[0] &
  Parameters<typeof removeHost>[0];

/** What operators may do, with the admin key. */
export function mountAdmin(app: App, deps: Deps): void {
  mountTenants(app, deps);
  mount(app, deps, "listPlans", () => listPlans(deps));
  mount(app, deps, "getPlan", ({ id }) => getPlan(deps, id));
  mount(app, deps, "putPlan", ({ ctx, id, body }) => putPlan(deps, ctx, id, body));
  mount(app, deps, "deletePlan", ({ ctx, id }) => deletePlan(deps, ctx, id));
  mount(app, deps, "listHosts", ({ query }) => listHostsForOperator(deps, query));
  mount(app, deps, "getHost", ({ id }) => getHost(deps, id));
  mount(app, deps, "listHostSandboxes", ({ id, query }) => listHostSandboxes(deps, id, query));
  mount(app, deps, "drainHost", ({ ctx, id }) => drainHost(deps, ctx, id, true));
  mount(app, deps, "undrainHost", ({ ctx, id }) => drainHost(deps, ctx, id, false));
  mount(app, deps, "removeHost", ({ ctx, id, query }) =>
    removeHost(deps, ctx, id, query.confirmDead === "true"),
  );
}

function mountTenants(app: App, deps: Deps): void {
  mount(app, deps, "createTenant", ({ ctx, body, asked }) => createTenantWithKey(deps, ctx, body, asked));
  mount(app, deps, "listTenants", ({ query }) => listTenants(deps, query));
  mount(app, deps, "getTenant", ({ id }) => getTenant(deps, id));
  mount(app, deps, "patchTenant", ({ ctx, id, body }) => patchTenant(deps, ctx, id, body));
  mount(app, deps, "suspendTenant", ({ ctx, id }) => suspendTenant(deps, ctx, id));
  mount(app, deps, "resumeTenant", ({ ctx, id }) => resumeTenant(deps, ctx, id));
  mount(app, deps, "deleteTenant", ({ ctx, id }) => deleteTenant(deps, ctx, id));
  mount(app, deps, "createTenantKey", async ({ ctx, id, body, asked }) => {
    await requireTenant(deps, id);
    return createTenantKey(deps, ctx, { ...body, tenantId: id }, asked);
  });
  mount(app, deps, "listTenantKeys", async ({ id, query }) => {
    await requireTenant(deps, id);
    return listKeys(deps, id, query);
  });
  mount(app, deps, "revokeTenantKey", ({ ctx, id }) => revokeAnyKey(deps, id, byOperator(ctx)));
}
