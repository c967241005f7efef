import * as z from "zod";
import { limits } from "./limits.ts";
import { EndReason } from "./sandbox.ts";
import { boundedText, byteLength, EnvVars, SandboxPath } from "./text.ts";

const argument = boundedText(limits.argumentMaxBytes);

export const ExecRequest = z
  .strictObject({
    command: z
      .union([
        argument.min(1),
        z
          .array(argument)
          .min(1)
          .max(limits.argumentsMax)
          .refine((argv) => argv[0] !== "", "must name a program")
          .refine(
            (argv) =>
              argv.reduce((sum, arg) => sum + byteLength(arg) + 1, 0) <= limits.argumentsTotalMaxBytes,
            `at most ${limits.argumentsTotalMaxBytes} bytes in all`,
          ),
      ])
      .describe("A string goes to `sh -c`; an array is never seen by a shell."),
    cwd: SandboxPath.refine((path) => path.startsWith("/"), "must be absolute")
      .optional()
      .describe("Absolute; `/home/user` when absent."),
    env: EnvVars.optional().describe("Added to the environment of the sandbox."),
    stdin: z
      .string()
      .refine((value) => value.isWellFormed(), "must be valid Unicode")
      .refine((value) => byteLength(value) <= limits.stdinMaxBytes, `at most ${limits.stdinMaxBytes} bytes`)
      .optional()
      .describe(`Text for its standard input, at most ${limits.stdinMaxBytes} bytes; nothing when absent.`),
    timeoutMs: z
      .int()
      .min(1)
      .max(limits.execBufferedMaxMs, `at most ${limits.execBufferedMaxMs}; a longer command needs a stream`)
      .optional()
      .describe("The whole process tree is ended at this time; the longest when absent."),
    user: z.literal("user").optional(),
    killOrphans: z.boolean().optional().describe("Ends what the command left running before answering."),
    outputEncoding: z
      .enum(["utf8", "base64"])
      .optional()
      .describe("`base64` keeps bytes that are not UTF-8; `utf8`, the default, puts U+FFFD in their place."),
  })
  .meta({ id: "ExecRequest" });
export type ExecRequest = z.infer<typeof ExecRequest>;

export const ExecResult = z
  .strictObject({
    exitCode: z
      .int()
      .describe("The exit status; 128 + signal where a signal ended the command, as shells report it."),
    signal: z.int().optional().describe("The signal that ended the command."),
    stdout: z.string(),
    stderr: z.string(),
    truncated: z
      .strictObject({ stdout: z.boolean(), stderr: z.boolean() })
      .describe("Whether there was more than the first MiB of a stream, which is what is kept."),
    durationMs: z.number(),
    endReason: EndReason,
  })
  .meta({ id: "ExecResult" });
export type ExecResult = z.infer<typeof ExecResult>;
