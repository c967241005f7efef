import * as z from "zod";
import { FilePath } from "./text.ts";

export const FileQuery = z.strictObject({
  path: FilePath.describe("Absolute, or relative to `/home/user`."),
});
export type FileQuery = z.infer<typeof FileQuery>;

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
