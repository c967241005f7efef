import { type ApiRow, onSandbox, sandbox } from "./api-row.ts";
import { FollowQuery } from "./exec.ts";
import { limits } from "./limits.ts";
import { InputQuery, Process, ProcessList, ProcessRequest, SignalRequest, TerminalSize } from "./process.ts";

const onProcess = [...onSandbox, "process_not_found"] as const;
const process = `${sandbox}/processes/:processId`;

const exampleProcess = {
  id: "exe_4f7w0m2k9x1c5v8b3n6q",
  pid: 41,
  kind: "process",
  command: "python3 -m http.server 8000",
  tag: "web",
  state: "running",
  startedAt: "2026-01-31T12:00:02.000Z",
};

/** What runs in a sandbox without anybody waiting for it. */
export const processRows = {
  startProcess: {
    method: "post",
    path: `${sandbox}/processes`,
    summary: "Start a process that nobody waits for",
    scope: "exec",
    tokens: 1,
    body: ProcessRequest,
    result: Process,
    status: 201,
    errors: [
      ...onSandbox,
      "command_not_found",
      "file_permission_denied",
      "cwd_not_found",
      "process_limit",
      "too_many_execs",
      "exec_interrupted",
      "exec_lost",
      "sandbox_outdated",
    ],
    example: {
      body: { command: "python3 -m http.server 8000", tag: "web" },
      result: exampleProcess,
    },
  },
  listProcesses: {
    method: "get",
    path: `${sandbox}/processes`,
    summary: "List what runs, and what has ended lately",
    scope: "exec",
    tokens: 1,
    result: ProcessList,
    status: 200,
    errors: onSandbox,
    example: { result: { items: [exampleProcess] } },
  },
  getProcess: {
    method: "get",
    path: process,
    summary: "Read one process",
    scope: "exec",
    tokens: 1,
    result: Process,
    status: 200,
    errors: onProcess,
    example: { result: exampleProcess },
  },
  killProcess: {
    method: "delete",
    path: process,
    summary: "Kill a process and all that it has started",
    scope: "exec",
    tokens: 1,
    status: 204,
    errors: [...onProcess, "exec_lost"],
    example: {},
  },
  followProcess: {
    method: "get",
    path: `${process}/events`,
    resultType: "text/event-stream",
    summary: "Read what a process prints, from an event on",
    scope: "exec",
    tokens: 1,
    query: FollowQuery,
    status: 200,
    errors: onProcess,
    example: { query: { after: "0" } },
  },
  writeInput: {
    method: "post",
    path: `${process}/stdin`,
    summary: "Send bytes to the input of a process, or close it",
    scope: "exec",
    tokens: 1,
    query: InputQuery,
    rawBodyMaxBytes: limits.stdinMaxBytes,
    status: 204,
    errors: [...onProcess, "process_ended", "input_closed", "input_full", "exec_lost"],
    example: { query: { close: "true" } },
  },
  signalProcess: {
    method: "post",
    path: `${process}/signal`,
    summary: "Send a signal to a process",
    scope: "exec",
    tokens: 1,
    body: SignalRequest,
    status: 204,
    errors: [...onProcess, "process_ended", "sandbox_outdated", "exec_lost"],
    example: { body: { signal: "SIGTERM" } },
  },
  resizeProcess: {
    method: "post",
    path: `${process}/resize`,
    summary: "Change the size of a process's terminal",
    scope: "exec",
    tokens: 1,
    body: TerminalSize,
    status: 204,
    errors: [...onProcess, "process_ended", "not_a_terminal"],
    example: { body: { cols: 120, rows: 40 } },
  },
} as const satisfies Record<string, ApiRow>;
