import type { ExecRequest, ExecResult } from "#contract/exec";
import { AppError } from "#worker/errors";

type Machine = { env: Record<string, string>; files: Map<string, Uint8Array> };

/** The few programs that the fake sandbox knows; enough to tell an argument, a variable and a file apart. */
export function runProgram(machine: Machine, request: ExecRequest): ExecResult {
  const argv = typeof request.command === "string" ? shell(request.command) : request.command;
  const env = { ...machine.env, ...request.env };
  const [program = "", ...rest] = argv;
  switch (program) {
    case "echo":
      return result(0, `${rest.join(" ")}\n`);
    case "cat":
      return rest[0] === undefined ? result(0, request.stdin ?? "") : cat(machine, rest[0]);
    case "printenv":
      return rest[0] !== undefined && env[rest[0]] !== undefined
        ? result(0, `${env[rest[0]]}\n`)
        : result(1, "");
    case "pwd":
      return result(0, `${request.cwd ?? "/home/user"}\n`);
    case "sh":
      return /^exit (\d+)$/.test(rest[1] ?? "")
        ? result(Number((rest[1] ?? "").slice(5)), "")
        : result(0, "");
    case "exit":
      return result(Number(rest[0] ?? 0), "");
    case "python3":
    case "node":
    case "bash":
      return interpret(machine, request, rest[0] ?? "");
    case "sleep":
      return sleep(Number(rest[0]), request.timeoutMs);
    default:
      if (typeof request.command === "string")
        return { ...result(127, ""), stderr: `sh: ${program}: not found\n` };
      throw new AppError("command_not_found", "There is no such program in the sandbox.");
  }
}

/** The fake's one language is its shell's: a source is a command. */
function interpret(machine: Machine, request: ExecRequest, path: string): ExecResult {
  const source = machine.files.get(path);
  if (!source) return result(2, "");
  return runProgram(machine, { ...request, command: new TextDecoder().decode(source) });
}

const shell = (command: string) => command.split(/\s+/).filter((word) => word !== "");

function cat(machine: Machine, path: string): ExecResult {
  const bytes = machine.files.get(path);
  return bytes ? result(0, new TextDecoder().decode(bytes)) : result(1, "");
}

/** Nothing waits: a sleep that is longer than its timeout has been ended by it. */
function sleep(seconds: number, timeoutMs = 60_000): ExecResult {
  if (seconds * 1000 <= timeoutMs) return result(0, "");
  return { ...result(137, ""), signal: 9, endReason: "timeout", durationMs: timeoutMs };
}

function result(exitCode: number, stdout: string): ExecResult {
  return {
    exitCode,
    stdout,
    stderr: "",
    truncated: { stdout: false, stderr: false },
    durationMs: 1,
    endReason: "exited",
  };
}
