import type { Context, Hono } from "hono";
import { eventStreamType, execIdHeader } from "#contract/events";
import { ExecQuery, FollowQuery } from "#contract/exec";
import { HostExec } from "#contract/host";
import { requestIdHeader } from "#contract/signature";
import { HostError } from "../errors.ts";
import { eventBody } from "../exec-streams/body.ts";
import type { ExecStream } from "../exec-streams/streams.ts";
import { execInSandbox } from "../sandboxes/exec.ts";
import { type ExecStreamDeps, startExecStream } from "../sandboxes/exec-stream.ts";
import { type Find, parseBody, parseQuery } from "./parse.ts";
import type { SignedEnv } from "./signed.ts";

/** Commands: with their result as the answer, or with their output as a stream that can be read on later. */
export function execRoutes<E extends SignedEnv>(app: Hono<E>, deps: ExecStreamDeps, find: Find<E>): void {
  app.post("/:id/exec", async (c) => {
    const request = parseBody(HostExec, c.get("body"));
    if (c.req.header("accept") !== eventStreamType)
      return c.json(await execInSandbox(deps, find(c), request));
    const { cancelOnDisconnect } = parseQuery(ExecQuery, c);
    const isCanceledOnDisconnect = cancelOnDisconnect === "true";
    const options = { requestId: requestIdOf(c), kind: "exec" as const, isCanceledOnDisconnect };
    return eventAnswer(c, (await startExecStream(deps, find(c), request, options)).stream, 0);
  });
  app.get("/:id/exec/:execId", (c) => {
    const { after = 0 } = parseQuery(FollowQuery, c);
    const owner = { sandboxId: c.get("sandbox"), tenantId: c.get("tenantId") };
    const isSigned = c.req.param("id") === owner.sandboxId;
    const stream = isSigned ? deps.streams.find(c.req.param("execId"), owner) : undefined;
    if (stream) return eventAnswer(c, stream, after);
    // A sandbox that is not there is the better answer; what it printed last outlives it for a while.
    find(c);
    throw new HostError("exec_not_found", "This sandbox has no such command, or has had it too long ago.");
  });
}

/** A stream from the event after `after` on, as an answer. */
export function eventAnswer<E extends SignedEnv>(c: Context<E>, stream: ExecStream, after: number): Response {
  return c.body(eventBody(stream, after, requestIdOf(c)), 200, {
    "content-type": eventStreamType,
    [execIdHeader]: stream.execId,
    // Said here, so that the server does not wait for a second event to see whether the answer is short.
    "transfer-encoding": "chunked",
  });
}

export const requestIdOf = <E extends SignedEnv>(c: Context<E>) => c.req.header(requestIdHeader) ?? "";
