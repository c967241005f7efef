import type { Hono } from "hono";
import { FollowQuery } from "#contract/exec";
import {
  InputQuery,
  ProcessName,
  ProcessRequest,
  SessionExecRequest,
  SessionRequest,
  SignalRequest,
  TerminalSize,
} from "#contract/process";
import { HostError } from "../errors.ts";
import { writeInput } from "../processes/input.ts";
import { killProcess } from "../processes/kill.ts";
import { resizeProcess } from "../processes/resize.ts";
import { createSession, execInSession } from "../processes/sessions.ts";
import { signalProcess } from "../processes/signal.ts";
import { startProcess } from "../processes/start.ts";
import { processesOf, shownProcess } from "../processes/table.ts";
import type { ExecStreamDeps } from "../sandboxes/exec-stream.ts";
import { eventAnswer, requestIdOf } from "./exec.ts";
import { type Find, parseBody, parseQuery } from "./parse.ts";
import type { SignedEnv } from "./signed.ts";

/** What runs in a sandbox without a caller who waits for it. */
export function processRoutes<E extends SignedEnv>(app: Hono<E>, deps: ExecStreamDeps, find: Find<E>): void {
  app.post("/:id/processes", async (c) => {
    const request = parseBody(ProcessRequest, c.get("body"));
    return c.json(await startProcess(deps, find(c), request, { requestId: requestIdOf(c) }), 201);
  });
  app.get("/:id/processes", (c) => c.json({ items: processesOf(find(c)).all().map(shownProcess) }));
  app.get("/:id/processes/:processId", (c) =>
    c.json(shownProcess(processesOf(find(c)).find(nameOf(c.req.param("processId"))))),
  );
  app.delete("/:id/processes/:processId", async (c) => {
    await killProcess(find(c), nameOf(c.req.param("processId")));
    return c.body(null, 204);
  });
  app.post("/:id/processes/:processId/stdin", async (c) => {
    const { close } = parseQuery(InputQuery, c);
    const record = processesOf(find(c)).find(nameOf(c.req.param("processId")));
    await writeInput(record, c.get("body") ?? Buffer.alloc(0), close === "true");
    return c.body(null, 204);
  });
  app.post("/:id/processes/:processId/signal", (c) => {
    const live = find(c);
    const record = processesOf(live).find(nameOf(c.req.param("processId")));
    signalProcess(live, record, parseBody(SignalRequest, c.get("body")));
    return c.body(null, 204);
  });
  app.post("/:id/processes/:processId/resize", (c) => {
    const record = processesOf(find(c)).find(nameOf(c.req.param("processId")));
    resizeProcess(record, parseBody(TerminalSize, c.get("body")));
    return c.body(null, 204);
  });
  app.post("/:id/sessions", async (c) =>
    c.json(await createSession(deps, find(c), parseBody(SessionRequest, c.get("body"))), 201),
  );
  app.post("/:id/sessions/:sessionId/exec", async (c) => {
    const live = find(c);
    const record = processesOf(live).find(nameOf(c.req.param("sessionId")));
    return c.json(await execInSession(deps, live, record, parseBody(SessionExecRequest, c.get("body"))));
  });
  app.get("/:id/processes/:processId/events", (c) => {
    const { after = 0 } = parseQuery(FollowQuery, c);
    const name = nameOf(c.req.param("processId"));
    const owner = { sandboxId: c.get("sandbox"), tenantId: c.get("tenantId") };
    const isSigned = c.req.param("id") === owner.sandboxId;
    // Before the sandbox is asked for: what it printed last outlives it for a while.
    const stream = isSigned ? deps.streams.find(name, owner) : undefined;
    if (stream) return eventAnswer(c, stream, after);
    const byPid = deps.streams.find(processesOf(find(c)).find(name).id, owner);
    if (byPid) return eventAnswer(c, byPid, after);
    throw new HostError("process_not_found", "What this process printed is not kept any more.");
  });
}

/** @throws HostError `process_not_found` for what can be no name of a process */
function nameOf(text: string): ProcessName {
  const name = ProcessName.safeParse(text);
  if (name.success) return name.data;
  throw new HostError("process_not_found", "There is no process with this id in the sandbox.");
}
