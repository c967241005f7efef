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
  /** A call that waits for the result takes `execBufferedMaxMs` at most; the default of a stream is the lifetime. */
  timeoutMs: z
    .int()
    .min(1)
    .max(limits.lifetimeMaxSeconds * 1000)
    .optional(),
  user: z.literal("user").optional(),
  /** Ends what the command left running before answering. */
  killOrphans: z.boolean().optional(),
  /**
   * `base64` keeps bytes that are not UTF-8; `utf8` puts U+FFFD in their place. Without it a result is `utf8`, and in
   * a stream each event is text where its bytes are UTF-8 without NUL and `base64` where they are not.
   */
  outputEncoding: z.enum(["utf8", "base64"]).optional(),
  /** Of each of stdout and stderr; the rest is read and dropped, and `truncated` says so. */
  maxOutputBytes: z.int().min(0).max(Number.MAX_SAFE_INTEGER).optional(),
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

const flag = z.enum(["true", "false"]);

export const ExecQuery = z.strictObject({
  /** Of a stream: whoever reads it is all that the command runs for. */
  cancelOnDisconnect: flag.optional(),
});
export type ExecQuery = z.infer<typeof ExecQuery>;

/** A number of an event; 0 is before the first. */
export const EventNumber = z
  .string()
  .regex(/^\d{1,15}$/, "must be the id of an event")
  .transform(Number);

export const FollowQuery = z.strictObject({ after: EventNumber.optional() });
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
