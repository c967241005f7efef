import { entryType, fieldTag, frameType } from "#contract/sandboxd";
import { ask } from "#host/sandboxd/ask";
import { Fields } from "#host/sandboxd/fields";
import { encodePath } from "#host/sandboxd/files";
import { violation } from "#host/sandboxd/frames";
import type { Link } from "#host/sandboxd/link";

export type ListRequest = {
  path: string;
  /** 0 = the path itself, 1 = what is in it. */
  depth: number;
  limit: number;
  /** The page begins behind this entry. */
  after?: Buffer;
};
export type ListEntry = {
  /** Relative to the listed path; bytes, since names need not be text. Empty for the path itself. */
  path: Buffer;
  type: keyof typeof entryType;
  size: number;
  mode: number;
  uid: number;
  gid: number;
  mtimeMs: number;
  linkTarget?: Buffer;
};
export type ListPage = { entries: ListEntry[]; hasMore: boolean };

const types = new Map<number, ListEntry["type"]>(
  Object.entries(entryType).map(([name, number]) => [number, name as ListEntry["type"]]),
);

/** One page of a tree. It may be shorter than asked for and have more all the same. */
export function listEntries(link: Link, request: ListRequest): Promise<ListPage> {
  const fields = encodePath(request.path)
    .putUint(fieldTag.depth, request.depth, 4)
    .putUint(fieldTag.limit, request.limit, 4);
  if (request.after !== undefined) fields.put(fieldTag.after, request.after);
  const entries: ListEntry[] = [];
  return ask(link, frameType.fileList, fields.finish(), (frame) => {
    if (frame.type === frameType.listEnd)
      return { entries, hasMore: new Fields(frame.payload).uint16(fieldTag.hasMore) !== 0 };
    if (frame.type !== frameType.fileEntry || entries.length === request.limit)
      throw violation(`a frame of type ${frame.type} on a listing`);
    entries.push(decodeEntry(frame.payload));
    return undefined;
  });
}

/** Deletes a file, a symlink or a folder; a folder that is not empty only when `isRecursive`. */
export async function deleteEntry(
  link: Link,
  request: { path: string; isRecursive: boolean },
): Promise<void> {
  const fields = encodePath(request.path).putUint(fieldTag.isRecursive, request.isRecursive ? 1 : 0, 2);
  await ask(link, frameType.fileDelete, fields.finish(), (frame) => {
    if (frame.type === frameType.end) return true;
    throw violation(`a frame of type ${frame.type} on a deletion`);
  });
}

function decodeEntry(payload: Buffer): ListEntry {
  const fields = new Fields(payload);
  const type = types.get(fields.uint16(fieldTag.entryType));
  if (type === undefined) throw violation("an unknown type of entry");
  return {
    path: Buffer.from(fields.bytes(fieldTag.path)),
    type,
    size: fields.uint64(fieldTag.size),
    mode: fields.uint32(fieldTag.mode),
    uid: fields.uint32(fieldTag.uid),
    gid: fields.uint32(fieldTag.gid),
    mtimeMs: fields.uint64(fieldTag.mtimeMs),
    ...(fields.has(fieldTag.linkTarget) && { linkTarget: Buffer.from(fields.bytes(fieldTag.linkTarget)) }),
  };
}
