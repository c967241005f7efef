import * as z from "zod";
import { limits } from "./limits.ts";
import { EndReason } from "./sandbox.ts";
import { boundedText, byteLength, EnvVars, SandboxPath } from "./text.ts";

const argument = boundedText(limits.argumentMaxBytes);

export const ExecRequest = z.strictObject({
  /** A string goes to `sh -c`; an array is never seen by a shell. */
  command: z.union([
    argument.min(1),
    z
      .array(argument)
      .min(1)
      .max(limits.argumentsMax)
      .refine((argv) => argv[0] !== "", "must name a program")
      .refine(
        (argv) => argv.reduce((sum, arg) => sum + byteLength(arg) + 1, 0) <= limits.argumentsTotalMaxBytes,
        `at most ${limits.argumentsTotalMaxBytes} bytes in all`,
      ),
  ]),
  cwd: SandboxPath.refine((path) => path.startsWith("/"), "must be absolute").optional(),
  env: EnvVars.optional(),
  stdin: z
    .string()
    .refine((value) => value.isWellFormed(), "must be valid Unicode")
    .refine((value) => byteLength(value) <= limits.stdinMaxBytes, `at most ${limits.stdinMaxBytes} bytes`)
    .optional(),
  timeoutMs: z
    .int()
    .min(1)
    .max(limits.execBufferedMaxMs, `at most ${limits.execBufferedMaxMs}; a longer command needs a stream`)
    .optional(),
  user: z.literal("user").optional(),
  /** Ends what the command left running before answering. */
  killOrphans: z.boolean().optional(),
  /** `base64` keeps bytes that are not UTF-8; `utf8` puts U+FFFD in their place. */
  outputEncoding: z.enum(["utf8", "base64"]).optional(),
});
export type ExecRequest = z.infer<typeof ExecRequest>;

export const ExecResult = z.strictObject({
  /** The exit status; 128 + signal where a signal ended the command, as shells report it. */
  exitCode: z.int(),
  signal: z.int().optional(),
  stdout: z.string(),
  stderr: z.string(),
  truncated: z.strictObject({ stdout: z.boolean(), stderr: z.boolean() }),
  durationMs: z.number(),
  endReason: EndReason,
});
export type ExecResult = z.infer<typeof ExecResult>;
