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
      .max(limits.lifetimeMaxSeconds * 1000)
      .optional()
      .describe(
        `The whole process tree is ended at this time. For a result it is ${limits.execBufferedMaxMs} at most, which is the default; for a stream the default is the sandbox's lifetime.`,
      ),
    user: z.literal("user").optional(),
    killOrphans: z.boolean().optional().describe("Ends what the command left running before answering."),
    outputEncoding: z
      .enum(["utf8", "base64"])
      .optional()
      .describe(
        "`base64` keeps bytes that are not UTF-8; `utf8` puts U+FFFD in their place. When absent a result is `utf8`, and each event of a stream is text where its bytes are UTF-8 without NUL, `base64` where not.",
      ),
    maxOutputBytes: z
      .int()
      .min(0)
      .max(Number.MAX_SAFE_INTEGER)
      .optional()
      .describe("Of each of stdout and stderr; the rest is read and dropped, and `truncated` says so."),
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
      .describe(
        "Whether there was more than was kept: the first MiB of a result, all of a stream, or `maxOutputBytes`.",
      ),
    durationMs: z.number(),
    endReason: EndReason,
  })
  .meta({ id: "ExecResult" });
export type ExecResult = z.infer<typeof ExecResult>;

const flag = z.enum(["true", "false"]);

export const ExecQuery = z.strictObject({
  cancelOnDisconnect: flag
    .optional()
    .describe("Of a stream: the command and all its processes are killed when its reader goes."),
});
export type ExecQuery = z.infer<typeof ExecQuery>;

/** A number of an event; 0 is before the first. */
export const EventNumber = z
  .string()
  .regex(/^\d{1,15}$/, "must be the id of an event")
  .transform(Number);

export const FollowQuery = z.strictObject({
  after: EventNumber.optional().describe(
    "The last event that was read; `Last-Event-ID` outranks it, and without both the stream begins at its start.",
  ),
});
export type FollowQuery = z.infer<typeof FollowQuery>;

/** The `data` of the events `stdout` and `stderr`. */
export const OutputEvent = z.strictObject({
  seq: z.int(),
  data: z.string(),
  encoding: z.enum(["utf8", "base64"]),
});
export type OutputEvent = z.infer<typeof OutputEvent>;

/** The `data` of `gap`: what was dropped before it could be read. */
export const GapEvent = z.strictObject({ fromSeq: z.int(), toSeq: z.int() });
export type GapEvent = z.infer<typeof GapEvent>;

/** The `data` of `exit`. The other last event is `error`, whose data is a problem. */
export const ExitEvent = ExecResult.omit({ stdout: true, stderr: true });
export type ExitEvent = z.infer<typeof ExitEvent>;

export type ExecEventName = "stdout" | "stderr" | "gap" | "exit" | "error";
