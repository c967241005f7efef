import { eventStreamType, execIdHeader } from "#contract/events";
import { type ExecRequest, ExecResult } from "#contract/exec";
import { ExecId } from "#contract/ids";
import { AppError } from "../../errors.ts";
import type { Call, ExecEvents, Place, SandboxProvider } from "../provider.ts";
import { lost, parseAnswer, refusalOf } from "./answers.ts";
import { type HostRequest, json, type Send, sandboxPath } from "./call.ts";
import { relayEvents } from "./relay.ts";

type ExecCalls = Pick<SandboxProvider, "exec" | "streamExec" | "followExec">;

/** Commands on a host: with the result as the answer, or with their output as events. */
export function execCalls(send: Send): ExecCalls {
  return {
    exec: (place, request, call) =>
      run(send, execRequest(place, request, call), async (response) => {
        if (!response.ok) throw await refusalOf(response);
        return parseAnswer(response, ExecResult);
      }),

    streamExec: (place, request, { cancelOnDisconnect }, call) => {
      const pathAndQuery = sandboxPath(place, cancelOnDisconnect ? "/exec?cancelOnDisconnect=true" : "/exec");
      const asked = {
        ...execRequest(place, request, call),
        pathAndQuery,
        headers: { accept: eventStreamType },
      };
      return run(send, asked, (response) => eventsOf(response, call));
    },

    followExec: (place, execId, after, call) => {
      const pathAndQuery = sandboxPath(place, `/exec/${execId}?after=${after}`);
      const asked = { place, call, method: "GET" as const, pathAndQuery, generation: "-" };
      return send(asked, (response) => eventsOf(response, call));
    },
  };
}

function execRequest(place: Place, request: ExecRequest, call: Call): HostRequest {
  return {
    place,
    call,
    method: "POST",
    pathAndQuery: sandboxPath(place, "/exec"),
    generation: "-",
    body: json(request),
  };
}

/** A command that was sent may have run: saying `host_unreachable` would invite a second run of it. */
export async function run<T>(
  send: Send,
  request: HostRequest,
  read: (response: Response) => Promise<T>,
): Promise<T> {
  try {
    return await send(request, read);
  } catch (error) {
    if (error instanceof AppError && error.isOutcomeUnknown) throw lost(error);
    throw error;
  }
}

/** A stream of the host's events. @throws AppError with the host's refusal */
export async function eventsOf(response: Response, call: Call): Promise<ExecEvents> {
  if (!response.ok) throw await refusalOf(response);
  const execId = ExecId.safeParse(response.headers.get(execIdHeader));
  if (execId.success && response.body) {
    return { execId: execId.data, stream: relayEvents(response.body, call.requestId) };
  }
  await response.body?.cancel();
  throw new AppError("internal", "The sandbox's host gave an answer that cannot be used.");
}
