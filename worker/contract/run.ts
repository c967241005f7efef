import * as z from "zod";
import { errorCodes } from "./errors.ts";
import { ExecRequest } from "./exec.ts";
import { RunId, SandboxId } from "./ids.ts";
import { limits } from "./limits.ts";
import { pageOf, pageQuery } from "./page.ts";
import { quoteQuery } from "./quote.ts";
import { CreateSandbox, EndReason, TemplateName } from "./sandbox.ts";
import { absolutePath, byteLength, EnvVars, FilePath, homePath, Metadata } from "./text.ts";

export const runStates = [
  "queued",
  "leased",
  "running",
  "succeeded",
  "failed",
  "timed_out",
  "canceled",
  "lost",
] as const;
export type RunState = (typeof runStates)[number];

/**
 * The only changes of state there are; every UPDATE names its allowed old states from this table. A lease that came to
 * nothing may be queued again, under the next generation; what has begun to run is never run again.
 */
export const runTransitions: Record<RunState, readonly RunState[]> = {
  queued: ["leased", "failed", "canceled", "lost"],
  leased: ["queued", "running", "failed", "canceled", "lost"],
  running: ["succeeded", "failed", "timed_out", "canceled", "lost"],
  succeeded: [],
  failed: [],
  timed_out: [],
  canceled: [],
  lost: [],
};

/** The states from which `to` may be reached. */
export function runStatesBefore(to: RunState): RunState[] {
  return runStates.filter((from) => runTransitions[from].includes(to));
}
export const hasRunEnded = (state: RunState): boolean => runTransitions[state].length === 0;

export const Language = z.enum(["python", "javascript", "bash"]);
export type Language = z.infer<typeof Language>;

/** How a source is run: its file, never a shell's argument. */
export const languages: Record<Language, { file: string; program: string }> = {
  python: { file: `${homePath}/main.py`, program: "python3" },
  javascript: { file: `${homePath}/main.js`, program: "node" },
  bash: { file: `${homePath}/main.sh`, program: "bash" },
};

const text = (maxBytes: number) =>
  z
    .string()
    .refine((value) => value.isWellFormed(), "must be valid Unicode")
    .refine((value) => byteLength(value) <= maxBytes, `at most ${maxBytes} bytes`);

const RunFile = z
  .strictObject({
    path: FilePath.describe("Absolute, or relative to `/home/user`, where the run begins."),
    content: text(limits.runFilesMaxBytes).optional().describe("Text."),
    contentBase64: z.base64().optional().describe("Bytes that are not text, in place of `content`."),
  })
  .refine(
    (file) => (file.content === undefined) !== (file.contentBase64 === undefined),
    "must have one of content and contentBase64",
  )
  .meta({ id: "RunFile" });
export type RunFile = z.infer<typeof RunFile>;

function sizeOf({ content, contentBase64 = "" }: RunFile): number {
  if (content !== undefined) return byteLength(content);
  return (contentBase64.length * 3) / 4 - (/={1,2}$/.exec(contentBase64)?.[0].length ?? 0);
}

export const CreateRun = z
  .strictObject({
    template: CreateSandbox.shape.template,
    code: z
      .strictObject({
        language: Language,
        source: text(limits.runSourceMaxBytes).min(1, "must not be empty"),
      })
      .optional()
      .describe("Becomes a file that the language's program runs; no shell sees it."),
    command: ExecRequest.shape.command
      .optional()
      .describe("In place of `code`: a string goes to `sh -c`; an array is never seen by a shell."),
    stdin: ExecRequest.shape.stdin,
    files: z
      .array(RunFile)
      .max(limits.runFilesMax)
      .optional()
      .describe(`Written before it begins; at most ${limits.runFilesMaxBytes} bytes together.`),
    env: EnvVars.optional().describe("The environment of its processes; not kept."),
    timeoutMs: z
      .int()
      .min(1)
      .max(limits.runTimeoutMaxMs)
      .optional()
      .describe("The whole process tree is ended at this time; the longest when absent."),
    cpu: CreateSandbox.shape.cpu,
    memoryMiB: CreateSandbox.shape.memoryMiB,
    pids: CreateSandbox.shape.pids,
    diskMiB: CreateSandbox.shape.diskMiB,
    metadata: Metadata.optional().describe("Your own labels."),
    budget: CreateSandbox.shape.budget,
  })
  .refine(
    (run) => (run.code === undefined) !== (run.command === undefined),
    "must have one of code and command",
  )
  .refine(({ files = [] }) => files.reduce((sum, file) => sum + sizeOf(file), 0) <= limits.runFilesMaxBytes, {
    path: ["files"],
    message: `at most ${limits.runFilesMaxBytes} bytes in all`,
  })
  .refine(
    ({ files = [], code }) => {
      const paths = files.map(({ path }) => absolutePath(path));
      if (code) paths.push(languages[code.language].file);
      return new Set(paths).size === paths.length;
    },
    { path: ["files"], message: "each path once, and not that of the code itself" },
  )
  .meta({ id: "CreateRun" });
export type CreateRun = z.infer<typeof CreateRun>;

const waitMessage = `must be a whole number of seconds from 0 to ${limits.runWaitMaxSeconds}`;
export const CreateRunQuery = z.strictObject({
  ...quoteQuery,
  wait: z
    .string()
    .regex(/^\d{1,4}$/, waitMessage)
    .transform(Number)
    .pipe(z.int().max(limits.runWaitMaxSeconds, waitMessage))
    .optional()
    .describe(
      `Seconds to wait for the end before answering 202; at most ${limits.runWaitMaxSeconds}, none when absent.`,
    ),
});

const ms = z.number().min(0);
const time = z.iso.datetime();

const summary = {
  id: RunId,
  state: z.enum(runStates),
  template: TemplateName,
  sandboxId: SandboxId.optional().describe("What it runs in, from the lease on."),
  metadata: Metadata,
  timeoutMs: z.int(),
  createdAt: time,
  endedAt: time.optional(),
  exitCode: z.int().optional().describe("The exit status; 128 + signal where a signal ended it."),
  truncated: z
    .strictObject({ stdout: z.boolean(), stderr: z.boolean() })
    .optional()
    .describe(
      `Whether there was more than the first ${limits.runOutputMaxBytes} bytes, which is what is kept.`,
    ),
  endReason: EndReason.optional(),
  error: z
    .strictObject({ code: z.enum(errorCodes), detail: z.string() })
    .optional()
    .describe("Why it has no exit code."),
  cached: z.literal(false).describe("Whether the result is that of an earlier run."),
  timings: z
    .strictObject({
      queuedMs: ms.optional().describe("Until a sandbox was asked for."),
      leaseMs: ms.optional().describe("Until the sandbox was there."),
      filesMs: ms.optional().describe("Until its files were written."),
      execMs: ms.optional().describe("From its beginning to its end."),
      totalMs: ms.optional(),
    })
    .describe("Each phase that it has come through."),
  usage: z
    .strictObject({ cpu: z.number(), memoryMiB: z.int(), wallMs: ms })
    .optional()
    .describe("What was held for it, and for how long."),
};

/** A run without what it printed, as lists have it. */
export const RunSummary = z.strictObject(summary).meta({ id: "RunSummary" });
export type RunSummary = z.infer<typeof RunSummary>;

export const Run = z
  .strictObject({ ...summary, stdout: z.string().optional(), stderr: z.string().optional() })
  .meta({ id: "Run" });
export type Run = z.infer<typeof Run>;

export const ListRuns = z.strictObject({
  ...pageQuery,
  state: z.enum(runStates).optional().describe("Only runs in this state."),
  template: TemplateName.optional().describe("Only those of this template; an alias will do."),
});
export type ListRuns = z.infer<typeof ListRuns>;

export const RunPage = pageOf(RunSummary).meta({ id: "RunPage" });
export type RunPage = z.infer<typeof RunPage>;
