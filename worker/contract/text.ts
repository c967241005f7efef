import * as z from "zod";
import { limits } from "./limits.ts";

const encoder = new TextEncoder();
export const byteLength = (value: string) => encoder.encode(value).byteLength;

/** Text that reaches a kernel call: bounded in bytes, no NUL, no lone surrogates. */
export function boundedText(maxBytes: number) {
  return z
    .string()
    .max(maxBytes)
    .refine((value) => !value.includes("\0"), "must not contain NUL")
    .refine((value) => value.isWellFormed(), "must be valid Unicode")
    .refine((value) => byteLength(value) <= maxBytes, `must be at most ${maxBytes} bytes`);
}

/** An absolute path, or one below /home/user, as the sandbox sees it. */
export const SandboxPath = boundedText(limits.pathMaxBytes)
  .min(1)
  .refine((path) => !path.split("/").includes(".."), "must not contain ..")
  .refine((path) => !path.includes("//"), "must not contain //");

/** A path that names a file: something must stand after the last slash. */
export const FilePath = SandboxPath.refine((path) => !path.endsWith("/"), "must not end with /");

export const homePath = "/home/user";

/** Relative paths begin at the tenant's home. */
export function absolutePath(path: string): string {
  return path.startsWith("/") ? path : `${homePath}/${path}`;
}

export const EnvVars = z
  .record(
    z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, "names are letters, digits and _"),
    boundedText(limits.envValueMaxBytes),
  )
  .refine(
    (env) => Object.keys(env).length <= limits.envMaxEntries,
    `at most ${limits.envMaxEntries} variables`,
  )
  .refine(
    (env) =>
      Object.entries(env).reduce((sum, [k, v]) => sum + k.length + byteLength(v) + 2, 0) <=
      limits.envTotalMaxBytes,
    `at most ${limits.envTotalMaxBytes} bytes in all`,
  );

export const Metadata = z
  .record(
    z.string().min(1).max(limits.metadataKeyMaxChars),
    z
      .string()
      .max(limits.metadataValueMaxChars)
      .refine((value) => value.isWellFormed(), "must be valid Unicode"),
  )
  .refine(
    (map) => Object.keys(map).length <= limits.metadataMaxEntries,
    `at most ${limits.metadataMaxEntries} entries`,
  );
