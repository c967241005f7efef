import { eventStreamType, execIdHeader } from "#contract/events";
import { ExecRequest } from "#contract/exec";
import { EntriesQuery } from "#contract/files";
import { HostCreate, HostPatch } from "#contract/host";
import { ExecId, HostId, newExecId, newKeyId, SandboxId, TenantId } from "#contract/ids";
import { portCaller, portHeader } from "#contract/ports";
import {
  ProcessName,
  ProcessRequest,
  SessionExecRequest,
  SessionRequest,
  SignalRequest,
  TerminalSize,
} from "#contract/process";
import { canonicalRequest, signatureHeader } from "#contract/signature";
import { WatchQuery } from "#contract/watch";
import { fromHex, hmacMatches, sha256Hex } from "#worker/crypto";
import { toAppError, toProblem } from "#worker/errors";
import type { HostKeys } from "#worker/hosts/keys";
import {
  type ExecEvents,
  type Place,
  type PortRequest,
  readHeaders,
  type SandboxProvider,
} from "#worker/providers/provider";

/** An agent-host's HTTP side without a socket: checks each signature, then asks the provider behind it. */
export function hostFetch(behind: SandboxProvider, hostKeys: HostKeys): typeof fetch {
  return async (input, init) => {
    const request = new Request(input instanceof Request ? input : String(input), init);
    init?.signal?.throwIfAborted();
    try {
      return await serve(behind, hostKeys, request);
    } catch (error) {
      const problem = toProblem(toAppError(error), "req_host");
      return Response.json(problem, { status: problem.status });
    }
  };
}

async function serve(behind: SandboxProvider, hostKeys: HostKeys, request: Request): Promise<Response> {
  const url = new URL(request.url);
  const body = new Uint8Array(await request.arrayBuffer());
  const header = (name: keyof typeof signatureHeader) => request.headers.get(signatureHeader[name]) ?? "";
  const hostId = HostId.parse(header("host"));
  const parts = {
    method: request.method,
    hostId,
    pathAndQuery: url.pathname + url.search,
    tenant: header("tenant"),
    sandbox: header("sandbox"),
    generation: header("generation"),
    createdMs: Number(header("created")),
    nonce: header("nonce"),
    length: header("length"),
    bodySha256: header("bodySha256"),
  };
  const mac = fromHex(header("signature"));
  const isSigned = mac && (await hmacMatches(await hostKeys.keyOf(hostId), mac, canonicalRequest(parts)));
  const isWhole = parts.length === "-" || parts.bodySha256 === (await sha256Hex(body));
  if (!isSigned || !isWhole) return Response.json({ code: "unauthenticated" }, { status: 401 });
  const rest = { hostId, sandboxId: SandboxId.parse(parts.sandbox), url: url.origin };
  if (url.pathname.includes("/ports/"))
    return askPort(behind, { ...rest, tenant: parts.tenant }, request, body);
  const tenantId = TenantId.safeParse(parts.tenant);
  if (!tenantId.success) return Response.json({ code: "sandbox_not_found" }, { status: 404 });
  const place = { ...rest, tenantId: tenantId.data };
  return route(behind, place, { request, url, body, generation: Number(parts.generation) });
}

/** The fake's answer, marked as a host marks what comes from a server. */
async function askPort(
  behind: SandboxProvider,
  { tenant, ...rest }: Omit<Place, "tenantId"> & { tenant: string },
  request: Request,
  body: Uint8Array<ArrayBuffer>,
): Promise<Response> {
  const { pathname, search } = new URL(request.url);
  const [, digits = "", path = "/"] = /\/ports\/(\d+)(\/.*)?$/.exec(pathname) ?? [];
  const caller = Object.values(portCaller).find((each) => each === tenant);
  const asked: PortRequest = {
    port: Number(digits),
    method: request.method,
    target: path + search,
    headers: Object.fromEntries(request.headers),
    body,
    bodyBytes: null,
    keyId: null,
    untilMs: null,
    handshake: null,
  };
  const place = { ...rest, tenantId: caller ?? TenantId.parse(tenant) };
  const answer = await behind.requestPort(place, asked, { requestId: "req_host", deadlineMs: 1_000 });
  const headers = new Headers(answer.headers);
  headers.set(portHeader.answer, digits);
  return new Response(answer.body, { status: answer.status, headers });
}

type Asked = { request: Request; url: URL; body: Uint8Array<ArrayBuffer>; generation: number };

async function route(behind: SandboxProvider, place: Place, asked: Asked): Promise<Response> {
  const { request, url, body, generation } = asked;
  const call = { requestId: "req_host", deadlineMs: 1_000 };
  const json = () => JSON.parse(new TextDecoder().decode(body));
  const path = url.searchParams.get("path") ?? "";
  const archive = { path, isGzip: url.searchParams.has("gzip") };
  const execId = /\/exec\/(\w+)$/.exec(url.pathname)?.[1];
  if (execId !== undefined) {
    const after = Number(url.searchParams.get("after"));
    return eventsAnswer(await behind.followExec(place, ExecId.parse(execId), after, call));
  }
  const processes = await routeProcesses(behind, place, asked);
  if (processes) return processes;
  switch (`${request.method} ${url.pathname.replace(place.sandboxId, ":id")}`) {
    case "POST /v1/sandboxes":
      return Response.json(await behind.create(place, HostCreate.parse(json()), call), { status: 201 });
    case "DELETE /v1/sandboxes/:id": {
      const end = await behind.kill(place, generation, call);
      return Response.json(end ?? { code: "sandbox_not_found" }, { status: end ? 200 : 404 });
    }
    case "PATCH /v1/sandboxes/:id":
      await behind.patch(place, generation, HostPatch.parse(json()), call);
      return new Response(null, { status: 204 });
    case "GET /v1/sandboxes/:id/metrics":
      return Response.json(await behind.metrics(place, call));
    case "POST /v1/sandboxes/:id/exec":
      if (request.headers.get("accept") === eventStreamType) {
        const wish = { cancelOnDisconnect: url.searchParams.has("cancelOnDisconnect") };
        return eventsAnswer(await behind.streamExec(place, ExecRequest.parse(json()), wish, call));
      }
      return Response.json(await behind.exec(place, ExecRequest.parse(json()), call));
    case "GET /v1/sandboxes/:id/files": {
      const sent = readHeaders.map((name) => [name, request.headers.get(name)] as const);
      const headers = Object.fromEntries(sent.filter(([, value]) => value !== null));
      const headOnly = url.searchParams.has("head");
      const file = await behind.readFile(place, path, { headOnly, headers }, call);
      return new Response(file.body, {
        status: file.status,
        headers: {
          "x-sandgate-file-size": String(file.length),
          "x-sandgate-file-mode": file.mode,
          etag: file.etag,
          "last-modified": file.lastModified,
          ...(file.contentRange && { "content-range": file.contentRange }),
        },
      });
    }
    case "DELETE /v1/sandboxes/:id/files":
      await behind.deleteFile(place, { path, recursive: url.searchParams.has("recursive") }, call);
      return new Response(null, { status: 204 });
    case "GET /v1/sandboxes/:id/entries": {
      const query = EntriesQuery.parse(Object.fromEntries(url.searchParams));
      return Response.json(await behind.listEntries(place, query, call));
    }
    case "GET /v1/sandboxes/:id/watch": {
      const query = WatchQuery.parse(Object.fromEntries(url.searchParams));
      return eventsAnswer({ execId: newExecId(), stream: await behind.watch(place, query, call) });
    }
    case "GET /v1/sandboxes/:id/archive":
      return new Response(await behind.readArchive(place, archive, call));
    case "PUT /v1/sandboxes/:id/archive":
      await behind.writeArchive(place, archive, { stream: new Blob([body]).stream() }, call);
      return new Response(null, { status: 204 });
    case "PUT /v1/sandboxes/:id/files":
      return Response.json(await behind.writeFile(place, path, { stream: new Blob([body]).stream() }, call));
    default:
      return Response.json({ code: "not_found" }, { status: 404 });
  }
}

/** The part of a host about processes; nothing when the address is another. */
async function routeProcesses(behind: SandboxProvider, place: Place, asked: Asked) {
  const { request, url, body } = asked;
  const [, sent, verb = ""] = /\/processes(?:\/(\w+))?(\/\w+)?$/.exec(url.pathname) ?? [];
  const session = /\/sessions(?:\/(\w+)\/exec)?$/.exec(url.pathname);
  if (session?.[1] !== undefined) {
    const request = SessionExecRequest.parse(JSON.parse(new TextDecoder().decode(body)));
    return Response.json(
      await behind.execInSession(place, ProcessName.parse(session[1]), request, {
        requestId: "req_host",
        deadlineMs: 1_000,
      }),
    );
  }
  if (session) {
    const request = SessionRequest.parse(JSON.parse(new TextDecoder().decode(body)));
    const call = { requestId: "req_host", deadlineMs: 1_000 };
    return Response.json(await behind.createSession(place, request, call), { status: 201 });
  }
  if (!url.pathname.includes("/processes")) return undefined;
  const call = { requestId: "req_host", deadlineMs: 1_000 };
  const json = () => JSON.parse(new TextDecoder().decode(body));
  if (sent === undefined && request.method === "GET")
    return Response.json(await behind.listProcesses(place, call));
  if (sent === undefined) {
    const started = await behind.startProcess(place, ProcessRequest.parse(json()), call);
    return Response.json(started, { status: 201 });
  }
  const name = ProcessName.parse(sent);
  const done = () => new Response(null, { status: 204 });
  switch (`${request.method} ${verb}`) {
    case "GET ":
      return Response.json(await behind.getProcess(place, name, call));
    case "DELETE ":
      await behind.killProcess(place, name, call);
      return done();
    case "POST /stdin":
      await behind.writeInput(place, name, { bytes: body, isLast: url.searchParams.has("close") }, call);
      return done();
    case "POST /resize":
      await behind.resizeProcess(place, name, TerminalSize.parse(json()), call);
      return done();
    case "POST /signal":
      await behind.signalProcess(place, name, SignalRequest.parse(json()), call);
      return done();
    case "GET /attach":
      return behind.attachProcess(
        place,
        name,
        { after: 0, handshake: {}, keyId: newKeyId(), untilMs: null },
        call,
      );
    case "GET /events": {
      const after = Number(url.searchParams.get("after"));
      return eventsAnswer(await behind.followProcess(place, name, after, call));
    }
    default:
      return undefined;
  }
}

function eventsAnswer({ execId, stream }: ExecEvents): Response {
  return new Response(stream, { headers: { "content-type": eventStreamType, [execIdHeader]: execId } });
}
