import { type FileContent, readHeaders } from "../providers/provider.ts";
import {
  deleteSandboxFile,
  type FileDeps,
  listSandboxEntries,
  readSandboxArchive,
  readSandboxFile,
  watchSandboxFiles,
  writeSandboxArchive,
  writeSandboxFile,
} from "../sandboxes/files.ts";
import { eventsAnswer, refuseHead } from "./events.ts";
import { type App, type MountDeps, mount } from "./mount.ts";
import { type StreamDeps, streaming } from "./streams.ts";

type Deps = MountDeps & FileDeps & StreamDeps;
const gzipType = "application/gzip";
const gzipTypes = [gzipType, "application/x-gzip"];

/** A tenant's bytes on our origin: a browser must neither run them, nor guess what they are, nor show them. */
const tenantBytes = {
  "content-disposition": "attachment",
  "content-security-policy": "sandbox",
  "x-content-type-options": "nosniff",
};

export function mountFiles(app: App, deps: Deps): void {
  mount(app, deps, "readFile", async ({ ctx, id, query, request }) => {
    const sent = readHeaders.map((name) => [name, request.headers.get(name)] as const);
    const headers = Object.fromEntries(sent.filter(([, value]) => value !== null));
    const headOnly = request.method === "HEAD";
    return fileAnswer(await readSandboxFile(deps, ctx, id, { path: query.path, headOnly, headers }));
  });
  mount(app, deps, "writeFile", ({ ctx, id, query, body }) =>
    writeSandboxFile(deps, ctx, id, { path: query.path, body }),
  );
  mount(app, deps, "deleteFile", ({ ctx, id, query }) =>
    deleteSandboxFile(deps, ctx, id, { path: query.path, recursive: query.recursive === "true" }),
  );
  mount(app, deps, "listEntries", ({ ctx, id, query }) => listSandboxEntries(deps, ctx, id, query));
  mount(app, deps, "watchFiles", async ({ ctx, id, query, request }) => {
    refuseHead(request);
    const watch = async () => eventsAnswer({ stream: await watchSandboxFiles(deps, ctx, id, query) });
    return streaming(deps, ctx, watch);
  });
  mount(app, deps, "readArchive", async ({ ctx, id, query, request }) => {
    const accepted = typesIn(request.headers.get("accept"));
    const isGzip = gzipTypes.some((type) => accepted.includes(type));
    const headers = { ...tenantBytes, "content-type": isGzip ? gzipType : "application/x-tar" };
    const archive = { path: query.path, isGzip };
    return streaming(deps, ctx, async () => {
      return new Response(await readSandboxArchive(deps, ctx, id, archive), { headers });
    });
  });
  mount(app, deps, "writeArchive", ({ ctx, id, query, body, request }) => {
    const [type = ""] = typesIn(request.headers.get("content-type"));
    const isGzip = gzipTypes.includes(type);
    return writeSandboxArchive(deps, ctx, id, { path: query.path, isGzip, body });
  });
}

function fileAnswer(file: FileContent): Response {
  return new Response(file.body, {
    status: file.status,
    headers: {
      ...tenantBytes,
      "content-type": "application/octet-stream",
      ...(file.status !== 304 && { "content-length": String(file.length) }),
      "accept-ranges": "bytes",
      etag: file.etag,
      "last-modified": file.lastModified,
      ...(file.contentRange && { "content-range": file.contentRange }),
      "x-sandgate-file-mode": file.mode,
    },
  });
}

/** The media types of a header, without their parameters. */
function typesIn(header: string | null): string[] {
  return (header ?? "").split(",").map((type) => type.split(";", 1)[0]?.trim().toLowerCase() ?? "");
}
