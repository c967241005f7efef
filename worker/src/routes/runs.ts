import { cancelRun } from "../runs/cancel.ts";
import { createRun } from "../runs/create.ts";
import { getRun } from "../runs/get.ts";
import { listRuns } from "../runs/list.ts";
import { quoteRun } from "../runs/quote.ts";
import { type App, type MountDeps, mount } from "./mount.ts";
import { answerQuote } from "./quote.ts";

type Deps = MountDeps & Parameters<typeof createRun>[0] & Parameters<typeof listRuns>[0];

export function mountRuns(app: App, deps: Deps): void {
  mount(app, deps, "createRun", ({ ctx, query, body, asked }) =>
    query.quote === "true"
      ? answerQuote(deps, quoteRun(deps, ctx, body))
      : createRun(deps, ctx, { input: body, waitMs: (query.wait ?? 0) * 1000, asked }),
  );
  mount(app, deps, "listRuns", ({ ctx, query }) => listRuns(deps, ctx, query));
  mount(app, deps, "getRun", ({ ctx, id }) => getRun(deps, ctx, id));
  mount(app, deps, "cancelRun", ({ ctx, id }) => cancelRun(deps, ctx, id));
}
