import { execFile } from "node:child_process";

const deadlineMs = 30_000;

/** Runs one of the machine's own programs. @throws Error with what it printed, when it fails or dawdles. */
export function runProgram(program: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile(program, args, { timeout: deadlineMs, killSignal: "SIGKILL" }, (cause, _stdout, stderr) => {
      if (cause) reject(new Error(`${program} failed: ${stderr.trim() || cause.message}`, { cause }));
      else resolve();
    });
  });
}
