import { eventStreamType } from "#contract/events";
import { invalid } from "../middleware/query.ts";
import { execInSandbox } from "../sandboxes/exec.ts";
import { followExecInSandbox, streamExecInSandbox } from "../sandboxes/exec-stream.ts";
import { eventsAnswer, lastEventId, refuseHead } from "./events.ts";
import { type App, type MountDeps, mount } from "./mount.ts";
import { type StreamDeps, streaming } from "./streams.ts";

type Deps = MountDeps & StreamDeps & Parameters<typeof execInSandbox>[0];

export function mountExec(app: App, deps: Deps): void {
  mount(app, deps, "exec", async ({ ctx, id, query, body, request }) => {
    const cancelOnDisconnect = query.cancelOnDisconnect === "true";
    if (wantsEvents(request)) {
      const wish = { ...body, cancelOnDisconnect };
      return streaming(deps, ctx, async () => eventsAnswer(await streamExecInSandbox(deps, ctx, id, wish)));
    }
    if (cancelOnDisconnect) throw invalid([{ path: "cancelOnDisconnect", message: "needs a stream" }]);
    return execInSandbox(deps, ctx, id, body);
  });
  mount(app, deps, "followExec", async ({ ctx, id, query, request, params }) => {
    refuseHead(request);
    const after = lastEventId(request) ?? query.after ?? 0;
    const execId = params.execId ?? "";
    const from = { execId, after };
    return streaming(deps, ctx, async () => eventsAnswer(await followExecInSandbox(deps, ctx, id, from)));
  });
}

/** Whether the stream was asked for by name; who takes anything gets the result. */
function wantsEvents(request: Request): boolean {
  const types = (request.headers.get("accept") ?? "").toLowerCase().split(",");
  return types.some((type) => type.split(";", 1)[0]?.trim() === eventStreamType);
}
