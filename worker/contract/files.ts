import * as z from "zod";
import { limits } from "./limits.ts";
import { FilePath, SandboxPath } from "./text.ts";

const flag = z.enum(["true", "false"]);
const wholeNumber = z
  .string()
  .regex(/^\d{1,4}$/, "must be a whole number")
  .transform(Number);

export const FileQuery = z.strictObject({ path: FilePath });
export type FileQuery = z.infer<typeof FileQuery>;

export const DeleteQuery = z.strictObject({
  path: FilePath,
  /** A folder with everything in it; symlinks are deleted, never followed. */
  recursive: flag.optional(),
});
export type DeleteQuery = z.infer<typeof DeleteQuery>;

export const ArchiveQuery = z.strictObject({ path: SandboxPath });
export type ArchiveQuery = z.infer<typeof ArchiveQuery>;

export const WrittenFile = z.strictObject({
  path: z.string(),
  size: z.int(),
  mode: z.string().regex(/^[0-7]{4}$/),
});
export type WrittenFile = z.infer<typeof WrittenFile>;

/** The entry that a page ended with: base64url of its path's bytes, relative to the listed folder. */
const Cursor = z
  .string()
  .max(2 * limits.entriesDepthMax * (limits.fileNameMaxBytes + 1))
  .regex(/^(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-]{2,3})?$/, "must be a `nextCursor` of this listing")
  .refine(namesAnEntry, "must be a `nextCursor` of this listing");

export const EntriesQuery = z.strictObject({
  path: SandboxPath,
  /** 0 = the path itself, 1 = what is in the folder, more = so many levels of it. */
  depth: wholeNumber.pipe(z.int().max(limits.entriesDepthMax)).optional(),
  limit: wholeNumber.pipe(z.int().min(1).max(limits.entriesMaxItems)).optional(),
  cursor: Cursor.optional(),
});
export type EntriesQuery = z.infer<typeof EntriesQuery>;

export const Entry = z.strictObject({
  /** Absolute. Bytes that are not UTF-8 show as U+FFFD here and in `name`; `pathBase64` then has them as they are. */
  path: z.string(),
  name: z.string(),
  pathBase64: z.base64().optional(),
  type: z.enum(["file", "directory", "symlink", "other"]),
  size: z.int(),
  mode: z.string().regex(/^[0-7]{4}$/),
  uid: z.int(),
  gid: z.int(),
  /** `user`, `root`, or the number of somebody whom the sandbox has no name for. */
  owner: z.string(),
  group: z.string(),
  modifiedAt: z.iso.datetime(),
  symlinkTarget: z.string().optional(),
  symlinkTargetBase64: z.base64().optional(),
});
export type Entry = z.infer<typeof Entry>;

export const EntryPage = z.strictObject({
  items: z.array(Entry),
  /** Send it back as `cursor` for what follows; absent on the last page. */
  nextCursor: z.string().optional(),
});
export type EntryPage = z.infer<typeof EntryPage>;

function namesAnEntry(cursor: string): boolean {
  const names = atob(cursor.replaceAll("-", "+").replaceAll("_", "/")).split("/");
  const isName = (name: string) =>
    name !== "" &&
    name !== "." &&
    name !== ".." &&
    !name.includes("\0") &&
    name.length <= limits.fileNameMaxBytes;
  return names.length <= limits.entriesDepthMax && names.every(isName);
}
