import type { ExecRequest } from "#contract/exec";
import { limits } from "#contract/limits";
import type { TerminalSize } from "#contract/process";
import { homePath } from "#contract/text";
import type { ExecHandle, ExecSink } from "../sandboxd/exec.ts";
import type { Live } from "./registry.ts";

/** A public request, or a process whose input stays open (`stdin: true`), or that has a terminal. */
export type Command = Omit<ExecRequest, "stdin"> & {
  stdin?: string | true | undefined;
  pty?: TerminalSize | undefined;
};

/** For a host that comes back after this one has died. */
export type Keeping = { tag: string; metadata: Buffer; endsWithHost?: boolean };

/** Starts a public request's command in the sandbox, and feeds it its input. */
export function beginExec(live: Live, request: Command, sink: ExecSink, keeping?: Keeping): ExecHandle {
  const { command, stdin, timeoutMs, pty } = request;
  // What programs on a terminal ask first; a caller may know better.
  const env = pty ? { TERM: "xterm-256color", ...request.env } : request.env;
  const handle = live.member.connection.exec(
    {
      argv: typeof command === "string" ? ["/bin/sh", "-c", command] : command,
      cwd: request.cwd ?? homePath,
      ...(env && { env }),
      ...(timeoutMs !== undefined && { timeoutMs }),
      graceMs: limits.execGraceMs,
      killOrphans: request.killOrphans ?? false,
      stdin: stdin !== undefined,
      ...(pty && { terminal: pty }),
      ...keeping,
    },
    sink,
  );
  if (typeof stdin === "string") void feed(handle, stdin);
  return handle;
}

/** A command may end without reading its input; that is its right and no failure. */
async function feed(handle: ExecHandle, stdin: string): Promise<void> {
  try {
    await handle.write(Buffer.from(stdin));
    handle.endStdin();
  } catch {
    // The exit tells what happened.
  }
}
