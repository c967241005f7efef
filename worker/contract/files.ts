import * as z from "zod";
import { FilePath } from "./text.ts";

export const FileQuery = z.strictObject({ path: FilePath });
export type FileQuery = z.infer<typeof FileQuery>;

export const WrittenFile = z.strictObject({
  path: z.string(),
  size: z.int(),
  mode: z.string().regex(/^[0-7]{4}$/),
});
export type WrittenFile = z.infer<typeof WrittenFile>;
