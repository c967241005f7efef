import { createHash } from "node:crypto";
import type { EntriesQuery, Entry, EntryPage } from "#contract/files";
import { absolutePath, homePath } from "#contract/text";
import { httpDate, readingOf } from "#host/sandboxes/conditions";
import { AppError } from "#worker/errors";
import type { FileContent, ReadWish } from "#worker/providers/provider";

/** Files by absolute path; a folder is there as long as something is in it, the home always. */
type FakeFiles = Map<string, Uint8Array>;

const modifiedMs = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const streamOf = (bytes: Uint8Array) => new Blob([new Uint8Array(bytes)]).stream();
const missing = () => new AppError("file_not_found", "There is no file at this path.");
const isFolder = (files: FakeFiles, path: string) =>
  path === homePath || [...files.keys()].some((name) => name.startsWith(`${path}/`));

export function readFake(files: FakeFiles, path: string, { headOnly, headers }: ReadWish): FileContent {
  const bytes = files.get(path);
  if (!bytes) throw missing();
  const etag = `"${createHash("sha256").update(bytes).digest("base64url")}"`;
  const reading = readingOf(
    { size: bytes.byteLength, etag, mtimeMs: modifiedMs },
    {
      range: headers.range,
      ifRange: headers["if-range"],
      ifNoneMatch: headers["if-none-match"],
      ifModifiedSince: headers["if-modified-since"],
    },
  );
  if (reading.kind === "unsatisfiable") {
    const facts = { size: bytes.byteLength };
    throw new AppError("range_not_satisfiable", "The file does not have these bytes.", { facts });
  }
  const [first, last] = reading.kind === "range" ? [reading.first, reading.last] : [0, bytes.byteLength - 1];
  const hasBytes = !headOnly && reading.kind !== "notModified";
  return {
    status: reading.kind === "range" ? 206 : reading.kind === "notModified" ? 304 : 200,
    body: hasBytes ? streamOf(bytes.slice(first, last + 1)) : null,
    length: last - first + 1,
    mode: "0644",
    etag,
    lastModified: httpDate(modifiedMs),
    ...(reading.kind === "range" && { contentRange: `bytes ${first}-${last}/${bytes.byteLength}` }),
  };
}

export function deleteFake(files: FakeFiles, path: string, recursive: boolean): void {
  if (files.delete(path)) return;
  if (!isFolder(files, path)) throw missing();
  if (!recursive) throw new AppError("folder_not_empty", "The folder is not empty.");
  for (const name of [...files.keys()]) if (name.startsWith(`${path}/`)) files.delete(name);
}

export function listFake(files: FakeFiles, query: EntriesQuery): EntryPage {
  const path = absolutePath(query.path);
  const { depth = 1, limit = 100 } = query;
  if (depth === 0 || !isFolder(files, path)) {
    if (!files.has(path) && !isFolder(files, path)) throw missing();
    if (depth > 0) throw new AppError("not_a_folder", "There is something other than a folder.");
    return { items: [entryOf(files, path)] };
  }
  const below = [...files.keys()].filter((name) => name.startsWith(`${path}/`));
  const parts = below.flatMap((name) => {
    const names = name.slice(path.length + 1).split("/");
    return names.slice(0, depth).map((_, index) => names.slice(0, index + 1).join("/"));
  });
  const after = query.cursor === undefined ? "" : Buffer.from(query.cursor, "base64url").toString();
  const key = (name: string) => name.replaceAll("/", "\0");
  const all = [...new Set(parts)].sort((a, b) => Buffer.compare(Buffer.from(key(a)), Buffer.from(key(b))));
  const rest = all.filter((name) => key(name) > key(after));
  const page = rest.slice(0, limit);
  const last = page.at(-1);
  return {
    items: page.map((name) => entryOf(files, `${path}/${name}`)),
    ...(rest.length > limit && last && { nextCursor: Buffer.from(last).toString("base64url") }),
  };
}

function entryOf(files: FakeFiles, path: string): Entry {
  const bytes = files.get(path);
  return {
    path,
    name: path.slice(path.lastIndexOf("/") + 1),
    type: bytes ? "file" : "directory",
    size: bytes?.byteLength ?? 0,
    mode: bytes ? "0644" : "0755",
    uid: 1000,
    gid: 1000,
    owner: "user",
    group: "user",
    modifiedAt: new Date(modifiedMs).toISOString(),
  };
}

const block = 512;
const archiveEnd = new Uint8Array(2 * block);

export function packFake(files: FakeFiles, path: string): ReadableStream<Uint8Array> {
  assertFolder(files, path);
  const members = [...files].filter(([name]) => name.startsWith(`${path}/`));
  const parts = members.flatMap(([name, bytes]) => [
    headerOf(name.slice(path.length + 1), bytes.byteLength),
    new Uint8Array(bytes),
    new Uint8Array((block - (bytes.byteLength % block)) % block),
  ]);
  return new Blob([...parts, archiveEnd]).stream();
}

/** Regular files of plain tar archives. */
export function unpackFake(files: FakeFiles, path: string, archive: Uint8Array): void {
  assertFolder(files, path);
  const bytes = Buffer.from(archive);
  for (let at = 0; at + block <= bytes.length && bytes[at] !== 0; ) {
    const header = bytes.subarray(at, at + block);
    const name = header.toString("utf8", 0, 100).replace(/\0.*$/s, "").replace(/^\.\//, "");
    const size = Number.parseInt(header.toString("latin1", 124, 135), 8);
    if (header.toString("latin1", 257, 262) !== "ustar" || Number.isNaN(size) || name.includes(".."))
      throw new AppError("archive_invalid", "This is no tar archive.");
    const start = at + block;
    if (header[156] === 0x30) files.set(`${path}/${name}`, bytes.subarray(start, start + size));
    at = start + Math.ceil(size / block) * block;
  }
}

function assertFolder(files: FakeFiles, path: string): void {
  if (files.has(path)) throw new AppError("not_a_folder", "There is something other than a folder.");
  if (!isFolder(files, path)) throw missing();
}

function headerOf(name: string, size: number): Buffer<ArrayBuffer> {
  const header = Buffer.alloc(block);
  header.write(name, 0);
  header.write("0000644\0" + "0001750\0" + "0001750\0", 100);
  header.write(`${size.toString(8).padStart(11, "0")}\0${"0".repeat(11)}\0`, 124);
  header.write("        0", 148);
  header.write("ustar\x0000", 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return header;
}
