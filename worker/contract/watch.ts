import * as z from "zod";
import { SandboxPath } from "./text.ts";

export const WatchQuery = z.strictObject({
  path: SandboxPath.describe("A folder or a file that is there: absolute, or relative to `/home/user`."),
  recursive: z
    .enum(["true", "false"])
    .optional()
    .describe(
      "Also what happens in the folders below it, those that come later too; symlinks are not followed.",
    ),
});
export type WatchQuery = z.infer<typeof WatchQuery>;

/** The `data` of the events `create`, `write`, `remove`, `rename` and `chmod`. */
export const WatchEvent = z.strictObject({
  seq: z.int(),
  /** Absolute. Bytes that are not UTF-8 show as U+FFFD. */
  path: z.string(),
  /** The bytes of `path`, when they are not UTF-8. */
  pathBase64: z.base64().optional(),
  /** Of `rename`: where it was before. */
  from: z.string().optional(),
  fromBase64: z.base64().optional(),
  isFolder: z.boolean(),
});
export type WatchEvent = z.infer<typeof WatchEvent>;

/** `overflow`: events were lost. `end`: what was watched is gone; the other last event is `error`, whose data is a problem. */
export type WatchEventName =
  | "ready"
  | "create"
  | "write"
  | "remove"
  | "rename"
  | "chmod"
  | "overflow"
  | "end"
  | "error";
