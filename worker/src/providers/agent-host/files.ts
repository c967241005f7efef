import { EntryPage, WrittenFile } from "#contract/files";
import { limits } from "#contract/limits";
import { absolutePath } from "#contract/text";
import { type Bytes, bytesIn, inTime, readOrStream } from "../../bytes.ts";
import { AppError } from "../../errors.ts";
import type { ArchiveWish, Call, FileBody, FileContent, Files, Place } from "../provider.ts";
import { accepted, dropped, parseAnswer, refusalOf } from "./answers.ts";
import { type HostRequest, type Send, sandboxPath } from "./call.ts";
import { eventsOf } from "./exec.ts";

type Query = Record<string, string | false | undefined>;

/** Files and folders on a host. Bytes pass through; nothing here holds more than one chunk of them. */
export function fileCalls(send: Send): Files {
  return {
    readFile: (place, path, { headOnly, headers }, call) => {
      const query = { path: absolutePath(path), head: headOnly && "true" };
      const asked = { ...request(place, call, "GET", withQuery("/files", query)), headers };
      return send(asked, (response) => fileContentOf(response, headOnly));
    },

    writeFile: async (place, path, body, call) =>
      send(await upload(place, call, withQuery("/files", { path: absolutePath(path) }), body), (response) =>
        accepted(response, () => parseAnswer(response, WrittenFile)),
      ),

    deleteFile: (place, { path, recursive }, call) => {
      const query = { path: absolutePath(path), recursive: recursive && "true" };
      return send(request(place, call, "DELETE", withQuery("/files", query)), (response) =>
        accepted(response, () => dropped(response)),
      );
    },

    listEntries: (place, { path, depth, limit, cursor }, call) => {
      const query = { path: absolutePath(path), depth: depth?.toString(), limit: limit?.toString(), cursor };
      return send(request(place, call, "GET", withQuery("/entries", query)), (response) =>
        accepted(response, () => parseAnswer(response, EntryPage)),
      );
    },

    watch: (place, { path, recursive }, call) => {
      const query = { path: absolutePath(path), recursive };
      return send(request(place, call, "GET", withQuery("/watch", query)), async (response) => {
        const { stream } = await eventsOf(response, call);
        return stream;
      });
    },

    readArchive: (place, archive, call) =>
      send(request(place, call, "GET", archivePath(archive)), (response) =>
        accepted(response, async () => response.body ?? empty()),
      ),

    writeArchive: async (place, archive, body, call) =>
      send(await upload(place, call, archivePath(archive), body), (response) =>
        accepted(response, () => dropped(response)),
      ),
  };
}

const archivePath = ({ path, isGzip }: ArchiveWish) =>
  withQuery("/archive", { path: absolutePath(path), gzip: isGzip && "true" });

function withQuery(path: string, query: Query): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    value ? [`${name}=${encodeURIComponent(value)}`] : [],
  );
  return `${path}?${pairs.join("&")}`;
}

function request(place: Place, call: Call, method: HostRequest["method"], rest: string): HostRequest {
  return { place, call, method, pathAndQuery: sandboxPath(place, rest), generation: "-" };
}

/** A long body of a known length is handed on untouched: workerd then moves its bytes without waking any script. */
async function upload(place: Place, call: Call, rest: string, body: FileBody): Promise<HostRequest> {
  const length = "bytes" in body ? undefined : body.length;
  const isLong = length !== undefined && length > limits.signedBodyMaxBytes;
  const content = isLong && "stream" in body ? body.stream : await shortOf(body);
  return {
    ...request(place, call, "PUT", rest),
    body: { content, type: "application/octet-stream", ...(isLong && { length }) },
  };
}

/** The bytes of a body that turns out to be short, else a stream of them all. */
function shortOf(body: FileBody): Promise<Bytes | ReadableStream<Uint8Array>> {
  if ("bytes" in body) return body.bytes();
  return inTime(readOrStream(body.stream, limits.signedBodyMaxBytes), limits.bodyDeadlineMs);
}

async function fileContentOf(response: Response, headOnly: boolean): Promise<FileContent> {
  const { status } = response;
  if (!response.ok && status !== 304) throw await refusalOf(response);
  const header = (name: string) => response.headers.get(name) ?? "";
  const size = Number(header("x-sandgate-file-size") || Number.NaN);
  const mode = header("x-sandgate-file-mode");
  const range = /^bytes (\d{1,16})-(\d{1,16})\/\d{1,16}$/.exec(header("content-range"));
  const length = range ? Number(range[2]) - Number(range[1]) + 1 : size;
  const isStatus = status === 200 || status === 304 || (status === 206 && range !== null);
  if (!isStatus || !Number.isSafeInteger(length) || length < 0 || !/^[0-7]{4}$/.test(mode)) {
    await response.body?.cancel();
    throw new AppError("internal", "The sandbox's host gave an answer that cannot be used.");
  }
  return {
    status,
    body: headOnly || status === 304 ? null : (bytesIn(response) ?? response.body ?? empty()),
    length,
    mode,
    etag: header("etag"),
    lastModified: header("last-modified"),
    ...(range && { contentRange: range[0] }),
  };
}

const empty = () => new ReadableStream<Uint8Array>({ start: (c) => c.close() });
