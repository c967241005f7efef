import type { WrittenFile } from "#contract/files";
import { limits } from "#contract/limits";
import { absolutePath } from "#contract/text";
import { HostError } from "../errors.ts";
import type { FileRead, FileStat } from "../sandboxd/files.ts";
import { type FileFacts, hasConditions, type ReadConditions, type Reading, readingOf } from "./conditions.ts";
import { exactBody } from "./exact-body.ts";
import { asHostError } from "./failures.ts";
import { begin, type Live, whileActive } from "./registry.ts";

export type FileDeps = { now: () => number };
export type ReadWish = ReadConditions & { isHead: boolean };
export type OpenFile = FileFacts & {
  mode: string;
  reading: Reading;
  body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null;
};

/** A file that changes between looking at it and opening it is looked at again. */
const looksMax = 3;

/**
 * Opens a file as the sandbox user, or the part of it that is wanted; its bytes arrive as they are asked for.
 * @throws HostError
 */
export function readFileIn(deps: FileDeps, live: Live, path: string, wish: ReadWish): Promise<OpenFile> {
  return whileActive(live, deps.now, async () => {
    try {
      if (wish.isHead || hasConditions(wish))
        return await readConditionally(deps, live, absolutePath(path), wish);
      const read = await live.member.connection.readWhole(absolutePath(path), limits.signedBodyMaxBytes);
      const { stat } = read;
      const body = "bytes" in read ? read.bytes : exactBody(read.body, stat.size, begin(live, deps.now));
      return { ...factsOf(stat), mode: octal(stat.mode), reading: { kind: "whole" as const }, body };
    } catch (cause) {
      throw asHostError(cause, live, "file_not_found");
    }
  });
}

async function readConditionally(
  deps: FileDeps,
  live: Live,
  path: string,
  wish: ReadWish,
): Promise<OpenFile> {
  const open = (range: { offset?: number; length?: number }) =>
    live.member.connection.readFile({ path, ...range });
  for (let looks = 1; looks <= looksMax; looks++) {
    const { stat } = await closed(await open({ length: 0 }));
    const facts = factsOf(stat);
    const reading = readingOf(facts, wish);
    const answer = { ...facts, mode: octal(stat.mode), reading };
    if (reading.kind === "unsatisfiable") {
      throw new HostError("range_not_satisfiable", "Ask for bytes that the file has.", {
        facts: { size: facts.size },
      });
    }
    if (wish.isHead || reading.kind === "notModified") return { ...answer, body: null };
    const part: { offset?: number; length?: number } =
      reading.kind === "range" ? { offset: reading.first, length: reading.last - reading.first + 1 } : {};
    const opened = await open(part);
    if (opened.stat.revision === stat.revision) {
      const body = exactBody(opened.body, part.length ?? stat.size, begin(live, deps.now));
      return { ...answer, body };
    }
    await closed(opened);
  }
  throw new HostError("conflict", "The file changes faster than it can be read; try again.");
}

async function closed(read: FileRead): Promise<FileRead> {
  await read.body.cancel();
  return read;
}

/** Writes a file as the sandbox user; until the last byte has come the old content stays. @throws HostError */
export function writeFileIn(
  deps: FileDeps,
  live: Live,
  path: string,
  body: AsyncIterable<Uint8Array>,
): Promise<WrittenFile> {
  return whileActive(live, deps.now, async () => {
    try {
      const stat = await live.member.connection.writeFile({ path: absolutePath(path) }, body);
      return { path: absolutePath(path), size: stat.size, mode: octal(stat.mode) };
    } catch (cause) {
      throw asHostError(cause, live, "file_not_found");
    }
  });
}

/** Deletes a file, a symlink or a folder as the sandbox user. @throws HostError */
export function deleteFileIn(
  deps: FileDeps,
  live: Live,
  target: { path: string; isRecursive: boolean },
): Promise<void> {
  return whileActive(live, deps.now, async () => {
    try {
      await live.member.connection.delete({ ...target, path: absolutePath(target.path) });
    } catch (cause) {
      throw asHostError(cause, live, "file_not_found");
    }
  });
}

const factsOf = ({ size, revision, mtimeMs }: FileStat): FileFacts => ({
  size,
  mtimeMs,
  etag: `"${revision}"`,
});

export const octal = (mode: number) => mode.toString(8).padStart(4, "0");
