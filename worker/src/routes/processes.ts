import { limits } from "#contract/limits";
import { allOf } from "../middleware/body.ts";
import { type AttachDeps, attachToProcess } from "../sandboxes/attach.ts";
import {
  followSandboxProcess,
  getSandboxProcess,
  killSandboxProcess,
  listSandboxProcesses,
  resizeSandboxProcess,
  signalSandboxProcess,
  startSandboxProcess,
  writeSandboxInput,
} from "../sandboxes/processes.ts";
import { createSandboxSession, execInSandboxSession } from "../sandboxes/sessions.ts";
import { eventsAnswer, lastEventId, refuseHead } from "./events.ts";
import { type App, type MountDeps, mount } from "./mount.ts";
import { type StreamDeps, streaming, tunneling } from "./streams.ts";

export function mountProcesses(app: App, deps: MountDeps & AttachDeps & StreamDeps): void {
  const nameIn = (params: Record<string, string>) => params.processId ?? "";
  mount(app, deps, "startProcess", ({ ctx, id, body }) => startSandboxProcess(deps, ctx, id, body));
  mount(app, deps, "listProcesses", ({ ctx, id }) => listSandboxProcesses(deps, ctx, id));
  mount(app, deps, "getProcess", ({ ctx, id, params }) => getSandboxProcess(deps, ctx, id, nameIn(params)));
  mount(app, deps, "killProcess", ({ ctx, id, params }) => killSandboxProcess(deps, ctx, id, nameIn(params)));
  mount(app, deps, "followProcess", async ({ ctx, id, query, request, params }) => {
    refuseHead(request);
    const after = lastEventId(request) ?? query.after ?? 0;
    const from = { name: nameIn(params), after };
    return streaming(deps, ctx, async () => eventsAnswer(await followSandboxProcess(deps, ctx, id, from)));
  });
  mount(app, deps, "attachProcess", ({ ctx, id, query, request, params }) =>
    tunneling(deps, ctx, (onEnd) =>
      attachToProcess(deps, ctx, id, { name: nameIn(params), after: query.after ?? 0, request, onEnd }),
    ),
  );
  mount(app, deps, "writeInput", async ({ ctx, id, query, body, params }) => {
    const bytes = await allOf(body, limits.stdinMaxBytes);
    return writeSandboxInput(deps, ctx, id, { name: nameIn(params), bytes, isLast: query.close === "true" });
  });
  mount(app, deps, "createSession", ({ ctx, id, body }) => createSandboxSession(deps, ctx, id, body));
  mount(app, deps, "execInSession", ({ ctx, id, body, params }) =>
    execInSandboxSession(deps, ctx, id, { ...body, name: params.sessionId ?? "" }),
  );
  mount(app, deps, "endSession", ({ ctx, id, params }) =>
    killSandboxProcess(deps, ctx, id, params.sessionId ?? ""),
  );
  mount(app, deps, "resizeProcess", ({ ctx, id, body, params }) =>
    resizeSandboxProcess(deps, ctx, id, { ...body, name: nameIn(params) }),
  );
  mount(app, deps, "signalProcess", ({ ctx, id, body, params }) =>
    signalSandboxProcess(deps, ctx, id, { ...body, name: nameIn(params) }),
  );
}
