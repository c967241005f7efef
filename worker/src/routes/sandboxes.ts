import { api } from "#contract/api";
import { createBatchOnce } from "../sandboxes/create-batch-once.ts";
import { createSandboxOnce } from "../sandboxes/create-once.ts";
import { deleteSandbox } from "../sandboxes/delete.ts";
import { getSandbox } from "../sandboxes/get.ts";
import { listSandboxes } from "../sandboxes/list.ts";
import { getSandboxMetrics } from "../sandboxes/metrics.ts";
import { patchSandbox } from "../sandboxes/patch.ts";
import { quoteSandboxes } from "../sandboxes/quote.ts";
import { refuseOtherMethods } from "./fallback.ts";
import { type App, type MountDeps, mount } from "./mount.ts";
import { answerQuote } from "./quote.ts";

type Deps = MountDeps &
  Parameters<typeof createSandboxOnce>[0] &
  Parameters<typeof listSandboxes>[0] &
  Parameters<typeof patchSandbox>[0];

export function mountSandboxes(app: App, deps: Deps): void {
  mount(app, deps, "createSandbox", ({ ctx, query, body, asked }) =>
    query.quote === "true"
      ? answerQuote(deps, quoteSandboxes(deps, ctx, body))
      : createSandboxOnce(deps, ctx, body, asked),
  );
  mount(app, deps, "createSandboxBatch", ({ ctx, query, body, asked }) =>
    query.quote === "true"
      ? answerQuote(deps, quoteSandboxes(deps, ctx, body))
      : createBatchOnce(deps, ctx, body, asked),
  );
  refuseOtherMethods(app, api.createSandboxBatch.path);
  mount(app, deps, "listSandboxes", ({ ctx, query }) => listSandboxes(deps, ctx, query));
  mount(app, deps, "getSandbox", ({ ctx, id }) => getSandbox(deps, ctx, id));
  mount(app, deps, "getSandboxMetrics", ({ ctx, id }) => getSandboxMetrics(deps, ctx, id));
  mount(app, deps, "patchSandbox", ({ ctx, id, body }) => patchSandbox(deps, ctx, id, body));
  mount(app, deps, "deleteSandbox", ({ ctx, id }) => deleteSandbox(deps, ctx, id));
}
