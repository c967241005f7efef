import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { StopError } from "#templates/stop";

export type CommandOptions = {
  env?: Record<string, string>;
  /** Each line that the command writes to its standard error, and only that. */
  onLine?: (line: string) => void;
  signal?: AbortSignal;
  /** Ends the command when the signal aborts; without it, SIGTERM asks the command to end in its own time. */
  onStop?: (pid: number) => void;
};

const tailLines = 20;

/**
 * Runs a command without a shell and without input, and resolves with its standard output.
 * @throws StopError with one sentence out of what the command said last
 */
export async function runCommand(command: readonly string[], options: CommandOptions = {}): Promise<string> {
  const [program = "", ...args] = command;
  options.signal?.throwIfAborted();
  const child = spawn(program, args, {
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const stop = () => {
    if (child.pid === undefined) return;
    if (options.onStop) options.onStop(child.pid);
    else child.kill("SIGTERM");
  };
  options.signal?.addEventListener("abort", stop, { once: true });
  const output: Buffer[] = [];
  const tail: string[] = [];
  child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
  createInterface({ input: child.stderr }).on("line", (line) => {
    if (tail.push(line) > tailLines) tail.shift();
    options.onLine?.(line);
  });
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject).once("close", resolve);
    });
    if (code === 0) return Buffer.concat(output).toString("utf8");
  } catch (cause) {
    throw new StopError(`The command ${program} could not be started; is it installed?`, { cause });
  } finally {
    options.signal?.removeEventListener("abort", stop);
  }
  options.signal?.throwIfAborted();
  throw new StopError(failureSentence(commandName(command), tail));
}

/** One sentence on why a command failed, out of the last lines it wrote. */
export function failureSentence(name: string, lines: readonly string[]): string {
  const text = lines.join("\n");
  if (/No space left on device|not have enough free space/i.test(text)) {
    return `The disk is full: ${name} ran out of space; free some and start again.`;
  }
  if (/sudo: a (password|terminal) is required/i.test(text)) {
    return `${name} needs root and sudo asks for a password; run this as root or with passwordless sudo.`;
  }
  // apt, dpkg and mmdebstrap mark what matters; elsewhere the last line is the best guess.
  const marked = lines.findLast((line) => /^(E:|dpkg: error|error:|fatal:)/i.test(line));
  const said = (marked ?? lines.findLast((line) => line.trim() !== "") ?? "it did not say why").trim();
  return `${name} failed: ${said.replace(/\.$/, "")}.`;
}

// What a person would call the command: not the wrappers it is run through.
function commandName(command: readonly string[]): string {
  const wrappers = new Set(["sudo", "env", "unshare", "setsid"]);
  return (
    command.find((word) => !wrappers.has(word) && !word.startsWith("-") && !word.includes("=")) ??
    "The command"
  );
}
