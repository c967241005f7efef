import * as z from "zod";
import { limits } from "./limits.ts";
import { FilePath, SandboxPath } from "./text.ts";

const flag = z.enum(["true", "false"]);
const wholeNumber = z
  .string()
  .regex(/^\d{1,4}$/, "must be a whole number")
  .transform(Number);

export const FileQuery = z.strictObject({
  path: FilePath.describe("Absolute, or relative to `/home/user`."),
});
export type FileQuery = z.infer<typeof FileQuery>;

export const DeleteQuery = z.strictObject({
  path: FilePath.describe("Absolute, or relative to `/home/user`."),
  recursive: flag
    .optional()
    .describe("A folder with everything in it; symlinks are deleted, never followed."),
});
export type DeleteQuery = z.infer<typeof DeleteQuery>;

export const ArchiveQuery = z.strictObject({
  path: SandboxPath.describe("A folder that is there: absolute, or relative to `/home/user`."),
});
export type ArchiveQuery = z.infer<typeof ArchiveQuery>;

export const WrittenFile = z
  .strictObject({
    path: z.string().describe("The absolute path."),
    size: z.int().describe("In bytes."),
    mode: z
      .string()
      .regex(/^[0-7]{4}$/)
      .describe("Permission bits, in octal."),
  })
  .meta({ id: "WrittenFile" });
export type WrittenFile = z.infer<typeof WrittenFile>;

/** The entry that a page ended with: base64url of its path's bytes, relative to the listed folder. */
const Cursor = z
  .string()
  .max(2 * limits.entriesDepthMax * (limits.fileNameMaxBytes + 1))
  .regex(/^(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-]{2,3})?$/, {
    error: "must be a `nextCursor` of this listing",
    // What is no base64 would make the next check throw.
    abort: true,
  })
  .refine(namesAnEntry, "must be a `nextCursor` of this listing");

export const EntriesQuery = z.strictObject({
  path: SandboxPath.describe("Absolute, or relative to `/home/user`."),
  depth: wholeNumber
    .pipe(z.int().max(limits.entriesDepthMax))
    .optional()
    .describe("0 = the path itself, 1 (the default) = what is in the folder, more = so many levels of it."),
  limit: wholeNumber
    .pipe(z.int().min(1).max(limits.entriesMaxItems))
    .optional()
    .describe(`Items on a page; ${limits.entriesDefaultItems} when absent.`),
  cursor: Cursor.optional().describe("The `nextCursor` of the page before."),
});
export type EntriesQuery = z.infer<typeof EntriesQuery>;

export const Entry = z
  .strictObject({
    path: z.string().describe("Absolute. Bytes that are not UTF-8 show as U+FFFD, also in `name`."),
    name: z.string(),
    pathBase64: z.base64().optional().describe("The bytes of `path`, when they are not UTF-8."),
    type: z.enum(["file", "directory", "symlink", "other"]),
    size: z.int().describe("In bytes."),
    mode: z
      .string()
      .regex(/^[0-7]{4}$/)
      .describe("Permission bits, in octal."),
    uid: z.int(),
    gid: z.int(),
    owner: z.string().describe("`user`, `root`, or the number of somebody without a name."),
    group: z.string(),
    modifiedAt: z.iso.datetime(),
    symlinkTarget: z.string().optional(),
    symlinkTargetBase64: z.base64().optional().describe("Its bytes, when they are not UTF-8."),
  })
  .meta({ id: "Entry" });
export type Entry = z.infer<typeof Entry>;

export const EntryPage = z
  .strictObject({
    items: z.array(Entry),
    nextCursor: z
      .string()
      .optional()
      .describe("Send it back as `cursor` for what follows; absent on the last page."),
  })
  .meta({ id: "EntryPage" });
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
