import type { ErrorCode } from "#contract/errors";
import { HostError } from "../errors.ts";
import { SandboxdError } from "../sandboxd/error.ts";
import { ended, type Live } from "./registry.ts";

const sentences: Partial<Record<SandboxdError["code"], [ErrorCode, string]>> = {
  badRequest: ["invalid_request", "The sandbox refused the request; check paths, arguments and environment."],
  tooMany: ["too_many_execs", "Wait for a command or transfer in this sandbox to end, then try again."],
  permissionDenied: ["file_permission_denied", "The sandbox user has no permission for this path."],
  notARegularFile: ["not_a_file", "Only regular files can be read and written."],
  pathRefused: ["path_refused", "Paths below /proc and /sys cannot be used."],
  notADirectory: ["not_a_folder", "Name a folder."],
  notEmpty: ["folder_not_empty", "Delete the folder with recursive=true, or what is in it first."],
  noSpace: ["no_space", "Free some space in the sandbox, then try again."],
  fileTooLarge: ["payload_too_large", "The file is larger than the sandbox accepts."],
  noProcess: ["process_limit", "End some processes in the sandbox, then try again."],
  spawnInterrupted: [
    "exec_interrupted",
    "Processes in the sandbox stopped the command before it began; try again.",
  ],
  cwdRefused: ["cwd_not_found", "Name an existing folder that the sandbox user may enter, outside /proc."],
  notConfigured: ["conflict", "The sandbox is still being handed out; try again."],
  io: ["conflict", "The file could not be read or written; check what is at this path."],
};

/** What a failure inside a sandbox means for the caller; a lost connection means that the sandbox has ended. */
export function asHostError(cause: unknown, live: Live, notFound: ErrorCode = "command_not_found"): unknown {
  if (!(cause instanceof SandboxdError)) return cause;
  if (live.ending) return ended(live.ending.reason);
  if (cause.code === "closed" || cause.code === "protocol") return ended("crashed");
  if (cause.code === "notFound") return new HostError(notFound, notFoundSentence[notFound] ?? "", { cause });
  const known = sentences[cause.code];
  return known ? new HostError(known[0], known[1], { cause }) : cause;
}

const notFoundSentence: Partial<Record<ErrorCode, string>> = {
  command_not_found: "There is no such program in the sandbox; check the command.",
  file_not_found: "There is no file at this path.",
  archive_unsupported: "The sandbox has no tar program, or no gzip.",
};
