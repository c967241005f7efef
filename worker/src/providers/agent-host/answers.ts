import * as z from "zod";
import type { ErrorCode } from "#contract/errors";
import { limits } from "#contract/limits";
import { EndReason } from "#contract/sandbox";
import { bytesIn, readBounded } from "../../bytes.ts";
import { AppError } from "../../errors.ts";

/** What a host may say to a caller, in our words: a host's own text can hold paths and names of its machine. */
const passedOn = {
  invalid_request: "No host is as large as what is asked for; ask for less memory or fewer cores.",
  no_capacity: "No host has room for this sandbox at the moment. Try again soon.",
  conflict: "The sandbox is in another state than this request needs.",
  sandbox_not_found: "There is no sandbox with this id.",
  sandbox_ended: "The sandbox has ended.",
  command_not_found: "There is no such program in the sandbox.",
  cwd_not_found: "The working directory does not exist, or the sandbox user may not enter it.",
  process_limit: "The sandbox has as many processes as it may have.",
  too_many_execs: "The sandbox runs as many commands at once as it can. Wait for one to end.",
  exec_interrupted: "The command was stopped before it began. It may be sent again.",
  exec_lost: "The sandbox stopped answering; whether the command finished is not known.",
  exec_not_found: "There is no command with this id in the sandbox, or it ended too long ago.",
  process_not_found: "There is no process with this id in the sandbox, or it ended too long ago.",
  process_ended: "The process has ended. Start another one.",
  input_closed:
    "The process takes no input. Start it with `stdin`, and close that only when nothing follows.",
  input_full: "The process is behind with reading its input; nothing of this was taken. Send it again.",
  watch_limit:
    "The sandbox has as many watches as it may have, or there are too many folders below this path.",
  session_busy: "The session runs another command. Wait for its end, or use another session.",
  not_a_terminal: "The process has no terminal. Start it with `pty`.",
  sandbox_outdated: "The sandbox was made before its host was upgraded. Create another one.",
  file_not_found: "There is no file at this path.",
  not_a_file: "There is something other than a regular file at this path.",
  not_a_folder: "There is something other than a folder at this path.",
  folder_not_empty: "The folder is not empty. Delete it with recursive=true, or what is in it first.",
  range_not_satisfiable: "The file does not have these bytes.",
  archive_invalid: "This is no tar archive that can be unpacked here; gzip needs its content type.",
  archive_unsupported: "The template has no tar program, or no gzip.",
  path_refused: "This path cannot be used.",
  file_permission_denied: "The sandbox user may not do this to this path.",
  payload_too_large: `A file may have at most ${limits.fileMaxBytes} bytes.`,
  forbidden: "The ports of this sandbox are not public. Send its traffic token.",
  port_closed: "The sandbox is running, but nothing listens on this port. Start the server first.",
  port_failed: "The server in the sandbox broke off, or what it says is not HTTP. Look at its log.",
  port_timeout: "The server in the sandbox did not answer in time. Look at what keeps it busy.",
  too_many_connections: "The ports of the sandbox have as many connections as they can. Close some.",
  no_space: "The sandbox's disk is full.",
} as const satisfies Partial<Record<ErrorCode, string>>;

const HostProblem = z.object({
  code: z.string(),
  detail: z.string().optional(),
  facts: z
    .object({
      endReason: EndReason.optional(),
      size: z.int().optional(),
      retryAfterSeconds: z.int().min(1).max(3_600).optional(),
    })
    .optional(),
});

const decoder = new TextDecoder();
const problemMaxBytes = 64 * 1024;
/** Two outputs of the longest kind, each byte escaped as JSON at worst. */
const answerMaxBytes = 16 * limits.execOutputMaxBytes;

/** The refusal of a host as one of ours: known codes pass, everything else is kept for the log. */
export async function refusalOf(response: Response): Promise<AppError> {
  const text = await boundedText(response, problemMaxBytes).catch(() => "");
  const problem = HostProblem.safeParse(jsonOf(text)).data;
  const code = problem?.code;
  const cause = new Error(`The host answered ${response.status}: ${text.slice(0, 500)}`);
  if (code !== undefined && isPassedOn(code)) {
    const { endReason, size, retryAfterSeconds } = problem?.facts ?? {};
    const facts = {
      ...(endReason && { endReason }),
      ...(size !== undefined && { size }),
      ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
    };
    return new AppError(code, passedOn[code], { cause, ...(Object.keys(facts).length > 0 && { facts }) });
  }
  if (code === "unavailable") return unreachable(cause);
  return new AppError("internal", "The sandbox's host could not do this.", { cause });
}

/** What is read of an answer that is no refusal. */
export async function accepted<T>(response: Response, read: () => Promise<T>): Promise<T> {
  if (!response.ok) throw await refusalOf(response);
  return read();
}

export async function dropped(response: Response): Promise<void> {
  await response.body?.cancel();
}

/** @throws AppError `internal` when a host answers something that the contract does not know. */
export async function parseAnswer<T>(response: Response, schema: z.ZodType<T>): Promise<T> {
  const parsed = schema.safeParse(jsonOf(await boundedText(response, answerMaxBytes)));
  if (parsed.success) return parsed.data;
  throw new AppError("internal", "The sandbox's host gave an answer that cannot be used.", {
    cause: parsed.error,
  });
}

export function unreachable(cause: unknown, isOutcomeUnknown = false): AppError {
  const sentence = "The sandbox's host does not answer at the moment. Try again soon.";
  return new AppError("host_unreachable", sentence, { cause, isOutcomeUnknown });
}

export function lost(cause: unknown): AppError {
  return new AppError("exec_lost", passedOn.exec_lost, { cause, isOutcomeUnknown: true });
}

const isPassedOn = (code: string): code is keyof typeof passedOn => Object.hasOwn(passedOn, code);

async function boundedText(response: Response, maxBytes: number): Promise<string> {
  const bytes = bytesIn(response);
  if (bytes && bytes.byteLength <= maxBytes) return decoder.decode(bytes);
  if (Number(response.headers.get("content-length") ?? Number.NaN) <= maxBytes) return response.text();
  if (!response.body) return "";
  return decoder.decode(await readBounded(response.body, maxBytes));
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
