import { WrittenFile } from "#contract/files";
import { type HostCreate, HostCreated, SandboxEnd } from "#contract/host";
import { limits } from "#contract/limits";
import { absolutePath } from "#contract/text";
import { inTime, readOrStream } from "../../bytes.ts";
import { AppError } from "../../errors.ts";
import type { Call, FileContent, Place, SandboxProvider } from "../provider.ts";
import { parseAnswer, refusalOf } from "./answers.ts";
import { callHost, type Deps, type HostRequest, json, type Send, sandboxPath } from "./call.ts";
import { execCalls } from "./exec.ts";

const filesPath = (place: Place, path: string) =>
  sandboxPath(place, `/files?path=${encodeURIComponent(absolutePath(path))}`);

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

    ...execCalls(send),

    readFile: (place, path, call) =>
      send(
        { place, call, method: "GET", pathAndQuery: filesPath(place, path), generation: "-" },
        fileContentOf,
      ),

    async writeFile(place, path, body, call) {
      const head = readOrStream(body.stream, limits.signedBodyMaxBytes);
      const content = await inTime(head, limits.bodyDeadlineMs);
      return send(
        {
          place,
          call,
          method: "PUT",
          pathAndQuery: filesPath(place, path),
          generation: "-",
          body: { content, type: "application/octet-stream" },
        },
        async (response) => {
          if (!response.ok) throw await refusalOf(response);
          return parseAnswer(response, WrittenFile);
        },
      );
    },
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
    if (response.ok) return parseAnswer(response, HostCreated);
    const refusal = await refusalOf(response);
    if (refusal.code !== "conflict") throw refusal;
    // The host has this very id and generation: an earlier try of this create did arrive.
    return { sandboxId: spec.sandboxId, generation: spec.generation, source: "cold" as const, leaseMs: 0 };
  });
}

async function fileContentOf(response: Response): Promise<FileContent> {
  if (!response.ok) throw await refusalOf(response);
  const size = Number(response.headers.get("x-sandgate-file-size") ?? Number.NaN);
  const mode = response.headers.get("x-sandgate-file-mode") ?? "";
  if (!Number.isSafeInteger(size) || size < 0 || !/^[0-7]{4}$/.test(mode)) {
    await response.body?.cancel();
    throw new AppError("internal", "The sandbox's host gave an answer that cannot be used.");
  }
  return { stream: response.body ?? new ReadableStream({ start: (c) => c.close() }), size, mode };
}
