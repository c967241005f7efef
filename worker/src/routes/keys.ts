import { createKey } from "../auth/create-key.ts";
import { getKey } from "../auth/get-key.ts";
import { listKeys } from "../auth/list-keys.ts";
import { revokeKey } from "../auth/revoke-key.ts";
import { issueToken } from "../sandboxes/issue-token.ts";
import { type App, type MountDeps, mount } from "./mount.ts";

type Deps = MountDeps & Parameters<typeof createKey>[0] & Parameters<typeof listKeys>[0];

export function mountKeys(app: App, deps: Deps): void {
  mount(app, deps, "createKey", ({ ctx, body, asked }) => createKey(deps, ctx, body, asked));
  mount(app, deps, "listKeys", ({ ctx, query }) => listKeys(deps, ctx.tenantId, query));
  mount(app, deps, "getKey", ({ ctx, id }) => getKey(deps, ctx, id));
  mount(app, deps, "revokeKey", ({ ctx, id }) => {
    const { tenantId, keyId, requestId } = ctx;
    return revokeKey(deps, tenantId, id, { actor: `key:${keyId}`, requestId });
  });
  mount(app, deps, "createSandboxToken", ({ ctx, id, body }) => issueToken(deps, ctx, id, body));
}
