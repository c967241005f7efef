import { type HostCreate, HostCreated, SandboxEnd } from "#contract/host";
import { SandboxMetrics } from "#contract/metrics";
import type { Call, Place, SandboxProvider } from "../provider.ts";
import { parseAnswer, refusalOf } from "./answers.ts";
import { callHost, type Deps, type HostRequest, json, type Send, sandboxPath } from "./call.ts";
import { execCalls } from "./exec.ts";
import { fileCalls } from "./files.ts";
import { portCalls } from "./ports.ts";
import { processCalls } from "./processes.ts";

/** Sandboxes on our own agent-hosts, over signed HTTP. */
export function agentHostProvider(deps: Deps): SandboxProvider {
  const send = <T>(request: HostRequest, read: (response: Response) => Promise<T>) =>
    callHost(deps, request, read);
  return {
    create: (place, spec, call) => create(send, { place, spec, call }),

    kill: (place, generation, call) =>
      send(
        { place, call, method: "DELETE", pathAndQuery: sandboxPath(place), generation: String(generation) },
        async (response) => {
          if (response.ok) return parseAnswer(response, SandboxEnd);
          const refusal = await refusalOf(response);
          if (refusal.code === "sandbox_not_found") return null;
          throw refusal;
        },
      ),

    patch: (place, generation, patch, call) =>
      send(
        {
          place,
          call,
          method: "PATCH",
          pathAndQuery: sandboxPath(place),
          generation: String(generation),
          body: json(patch),
        },
        async (response) => {
          if (!response.ok) throw await refusalOf(response);
          await response.body?.cancel();
        },
      ),

    metrics: (place, call) =>
      send(
        { place, call, method: "GET", pathAndQuery: sandboxPath(place, "/metrics"), generation: "-" },
        async (response) => {
          if (!response.ok) throw await refusalOf(response);
          return parseAnswer(response, SandboxMetrics);
        },
      ),

    ...execCalls(send),

    ...processCalls(send),

    ...fileCalls(send),

    ...portCalls(send),
  };
}

function create(send: Send, { place, spec, call }: { place: Place; spec: HostCreate; call: Call }) {
  const request: HostRequest = {
    place,
    call,
    method: "POST",
    pathAndQuery: "/v1/sandboxes",
    generation: String(spec.generation),
    body: json(spec),
  };
  return send(request, async (response) => {
    // A repeated create is answered as the first one was; any conflict means something else.
    if (response.ok) return parseAnswer(response, HostCreated);
    throw await refusalOf(response);
  });
}
