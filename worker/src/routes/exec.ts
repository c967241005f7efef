import { eventStreamType, execIdHeader } from "#contract/events";
import { EventNumber } from "#contract/exec";
import { AppError } from "../errors.ts";
import { invalid } from "../middleware/query.ts";
import type { ExecEvents } from "../providers/provider.ts";
import { execInSandbox } from "../sandboxes/exec.ts";
import { followExecInSandbox, streamExecInSandbox } from "../sandboxes/exec-stream.ts";
import { type App, type MountDeps, mount } from "./mount.ts";

type Deps = MountDeps & Parameters<typeof execInSandbox>[0];

export function mountExec(app: App, deps: Deps): void {
  mount(app, deps, "exec", async ({ ctx, id, query, body, request }) => {
    const cancelOnDisconnect = query.cancelOnDisconnect === "true";
    if (wantsEvents(request)) {
      return eventsAnswer(await streamExecInSandbox(deps, ctx, id, { ...body, cancelOnDisconnect }));
    }
    if (cancelOnDisconnect) throw invalid([{ path: "cancelOnDisconnect", message: "needs a stream" }]);
    return execInSandbox(deps, ctx, id, body);
  });
  mount(app, deps, "followExec", async ({ ctx, id, query, request, params }) => {
    // Reading takes the stream over from whoever reads it, which a question about it must not do.
    if (request.method === "HEAD") {
      throw new AppError("method_not_allowed", "This address takes GET.", { facts: { allow: "GET" } });
    }
    const after = lastEventId(request) ?? query.after ?? 0;
    const execId = params.execId ?? "";
    return eventsAnswer(await followExecInSandbox(deps, ctx, id, { execId, after }));
  });
}

/** Whether the stream was asked for by name; who takes anything gets the result. */
function wantsEvents(request: Request): boolean {
  const types = (request.headers.get("accept") ?? "").toLowerCase().split(",");
  return types.some((type) => type.split(";", 1)[0]?.trim() === eventStreamType);
}

/** A client that reconnects by itself sends this with the first URL, whose `after` is older. */
function lastEventId(request: Request): number | undefined {
  const sent = request.headers.get("last-event-id");
  if (sent === null) return undefined;
  const id = EventNumber.safeParse(sent);
  if (!id.success) throw invalid([{ path: "Last-Event-ID", message: "must be the id of an event" }]);
  return id.data;
}

/** A tenant's bytes on our origin: a browser must neither run them nor guess what they are, a proxy not hold them. */
function eventsAnswer({ execId, stream }: ExecEvents): Response {
  return new Response(stream, {
    headers: {
      "content-type": eventStreamType,
      "content-security-policy": "sandbox",
      "x-content-type-options": "nosniff",
      "x-accel-buffering": "no",
      [execIdHeader]: execId,
    },
  });
}
