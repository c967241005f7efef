import type { Context, Hono } from "hono";
import { DeleteQuery, EntriesQuery, FileQuery } from "#contract/files";
import { HostArchiveQuery, HostFileQuery } from "#contract/host";
import { WatchQuery } from "#contract/watch";
import { type ArchiveDeps, readArchiveIn, writeArchiveIn } from "../sandboxes/archive.ts";
import { httpDate } from "../sandboxes/conditions.ts";
import { listEntriesIn } from "../sandboxes/entries.ts";
import type { ExecStreamDeps } from "../sandboxes/exec-stream.ts";
import { deleteFileIn, type FileDeps, type OpenFile, readFileIn, writeFileIn } from "../sandboxes/files.ts";
import { watchIn } from "../sandboxes/watch.ts";
import { eventAnswer, requestIdOf } from "./exec.ts";
import { type Find, parseQuery } from "./parse.ts";
import type { SignedEnv } from "./signed.ts";
import { type UploadEnv, uploadChunks } from "./upload.ts";

type Env = SignedEnv & UploadEnv;

/** Files, folders and archives. Paths are opened inside the sandbox, by its tenant; here they are only words. */
export function fileRoutes(
  app: Hono<Env>,
  deps: FileDeps & ArchiveDeps & ExecStreamDeps,
  find: Find<Env>,
): void {
  app.get("/:id/files", async (c) => {
    const { path, head } = parseQuery(HostFileQuery, c);
    const header = (name: string) => c.req.header(name);
    const file = await readFileIn(deps, find(c), path, {
      isHead: head === "true",
      range: header("range"),
      ifRange: header("if-range"),
      ifNoneMatch: header("if-none-match"),
      ifModifiedSince: header("if-modified-since"),
    });
    return fileAnswer(file);
  });
  app.put("/:id/files", async (c) => {
    const { path } = parseQuery(FileQuery, c);
    return c.json(await writeFileIn(deps, find(c), path, uploadOf(c)));
  });
  app.delete("/:id/files", async (c) => {
    const { path, recursive } = parseQuery(DeleteQuery, c);
    await deleteFileIn(deps, find(c), { path, isRecursive: recursive === "true" });
    return c.body(null, 204);
  });
  app.get("/:id/entries", async (c) =>
    c.json(await listEntriesIn(deps, find(c), parseQuery(EntriesQuery, c))),
  );
  app.get("/:id/watch", async (c) => {
    const requestId = requestIdOf(c);
    return eventAnswer(c, await watchIn(deps, find(c), parseQuery(WatchQuery, c), requestId), 0);
  });
  app.get("/:id/archive", async (c) => {
    const { path, gzip } = parseQuery(HostArchiveQuery, c);
    const archive = { path, isGzip: gzip === "true" };
    return c.body(await readArchiveIn(deps, find(c), archive), 200, { "transfer-encoding": "chunked" });
  });
  app.put("/:id/archive", async (c) => {
    const { path, gzip } = parseQuery(HostArchiveQuery, c);
    await writeArchiveIn(deps, find(c), { path, isGzip: gzip === "true" }, uploadOf(c));
    return c.body(null, 204);
  });
}

function fileAnswer({ size, mode, etag, mtimeMs, reading, body }: OpenFile): Response {
  const facts = {
    "content-type": "application/octet-stream",
    etag,
    "last-modified": httpDate(mtimeMs),
    "x-sandgate-file-size": String(size),
    "x-sandgate-file-mode": mode,
  };
  if (reading.kind === "notModified") return new Response(null, { status: 304, headers: facts });
  if (body === null || reading.kind !== "range") {
    return new Response(body, { headers: { ...facts, ...(body && { "content-length": String(size) }) } });
  }
  const { first, last } = reading;
  const contentRange = `bytes ${first}-${last}/${size}`;
  const headers = { ...facts, "content-length": String(last - first + 1), "content-range": contentRange };
  return new Response(body, { status: 206, headers });
}

async function* uploadOf(c: Context<Env>): AsyncGenerator<Uint8Array> {
  const body = c.get("body");
  if (body) yield body;
  else yield* uploadChunks(c);
}
