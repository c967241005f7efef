import * as z from "zod";
import { ExecRequest, ExecResult } from "./exec.ts";
import { ExecId } from "./ids.ts";
import { limits } from "./limits.ts";
import { EndReason } from "./sandbox.ts";
import { boundedText } from "./text.ts";

export const TerminalSize = z
  .strictObject({
    cols: z.int().min(1).max(limits.terminalMaxCols),
    rows: z.int().min(1).max(limits.terminalMaxRows),
  })
  .meta({ id: "TerminalSize", description: "In characters." });
export type TerminalSize = z.infer<typeof TerminalSize>;

export const ProcessRequest = ExecRequest.omit({ stdin: true, timeoutMs: true })
  .extend({
    stdin: z
      .boolean()
      .optional()
      .describe("Its standard input stays open for what is sent to it; nothing to read when absent."),
    pty: TerminalSize.optional().describe(
      "It runs in a terminal of this size: what it prints comes as `stdout`, and what is sent to it is typed.",
    ),
    timeoutMs: z
      .int()
      .min(1)
      .max(limits.lifetimeMaxSeconds * 1000)
      .optional()
      .describe("The whole process tree is ended at this time; the sandbox's lifetime when absent."),
    tag: z
      .string()
      .min(1)
      .max(limits.processTagMaxChars)
      .refine((value) => value.isWellFormed(), "must be valid Unicode")
      .optional()
      .describe("Yours to know it by; shown in lists."),
  })
  .meta({ id: "ProcessRequest" });
export type ProcessRequest = z.infer<typeof ProcessRequest>;

/** What a process can be named by: the id it was given, or its pid in the sandbox. */
export const ProcessName = z.union([ExecId, z.string().regex(/^[1-9]\d{0,9}$/)]);
export type ProcessName = z.infer<typeof ProcessName>;

const time = z.iso.datetime();

export const Process = z
  .strictObject({
    id: ExecId.describe("For a command that was streamed, its `X-Sandgate-Exec-Id`."),
    pid: z.int().describe("In the sandbox. It can be used again once the process has ended."),
    kind: z
      .enum(["process", "exec", "session"])
      .describe("`exec` is a command whose output is streamed, `session` the shell of a session."),
    command: z
      .string()
      .describe(
        `As it was sent, an array joined by spaces; its first ${limits.processCommandShownChars} characters.`,
      ),
    tag: z.string().optional(),
    pty: TerminalSize.optional().describe("The size of its terminal, if it has one."),
    state: z.enum(["running", "ended"]),
    startedAt: time,
    endedAt: time.optional(),
    exitCode: z.int().optional().describe("As in a command's result; present once it has ended."),
    signal: z.int().optional().describe("The signal that ended it."),
    endReason: EndReason.optional(),
    durationMs: z.number().optional(),
  })
  .meta({ id: "Process" });
export type Process = z.infer<typeof Process>;

/** What the end of a process adds to it. */
export type ProcessEnd = Pick<ExecResult, "endReason"> &
  Partial<Pick<ExecResult, "exitCode" | "signal" | "durationMs">>;

/** Linux's, as on every architecture that we run on. */
export const signalNumbers = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGUSR2: 12,
  SIGALRM: 14,
  SIGTERM: 15,
  SIGCONT: 18,
  SIGSTOP: 19,
  SIGTSTP: 20,
  SIGWINCH: 28,
} as const;
export type SignalName = keyof typeof signalNumbers;

export const SignalRequest = z
  .strictObject({
    signal: z.enum(Object.keys(signalNumbers) as [SignalName, ...SignalName[]]),
    tree: z
      .boolean()
      .optional()
      .describe(
        "To the process and all that it has started; to its process group when absent. SIGKILL always ends all of it.",
      ),
  })
  .meta({ id: "SignalRequest" });
export type SignalRequest = z.infer<typeof SignalRequest>;

export const InputQuery = z.strictObject({
  close: z
    .enum(["true", "false"])
    .optional()
    .describe("Nothing follows: the process meets the end of its input."),
});
export type InputQuery = z.infer<typeof InputQuery>;

export const SessionRequest = ProcessRequest.pick({ cwd: true, env: true, user: true, tag: true }).meta({
  id: "SessionRequest",
});
export type SessionRequest = z.infer<typeof SessionRequest>;

export const SessionExecRequest = ExecRequest.pick({ outputEncoding: true, maxOutputBytes: true })
  .extend({
    command: boundedText(limits.argumentMaxBytes)
      .min(1)
      .describe("For the session's shell, which goes on with what it leaves: folder, variables, functions."),
    timeoutMs: z
      .int()
      .min(1)
      .max(limits.execBufferedMaxMs)
      .optional()
      .describe(`The session is ended at this time; ${limits.execBufferedMaxMs} when absent.`),
  })
  .meta({ id: "SessionExecRequest" });
export type SessionExecRequest = z.infer<typeof SessionExecRequest>;

export const SessionResult = ExecResult.extend({
  sessionState: z.enum(["running", "ended"]).describe("`ended`: the command has ended the shell itself."),
}).meta({ id: "SessionResult" });
export type SessionResult = z.infer<typeof SessionResult>;

export const ProcessList = z
  .strictObject({ items: z.array(Process).describe("Newest first.") })
  .meta({ id: "ProcessList" });
export type ProcessList = z.infer<typeof ProcessList>;
