import type * as z from "zod";
import type { ErrorCode } from "./errors.ts";
import { ExecQuery, ExecRequest, ExecResult, FollowQuery } from "./exec.ts";
import { ArchiveQuery, DeleteQuery, EntriesQuery, EntryPage, FileQuery, WrittenFile } from "./files.ts";
import { limits } from "./limits.ts";
import { Health, Ready } from "./meta.ts";
import { CreateSandbox, ListSandboxes, PatchSandbox, Sandbox, SandboxPage } from "./sandbox.ts";

export const scopes = ["sandbox:read", "sandbox:write", "exec", "files:read", "files:write"] as const;
export type Scope = (typeof scopes)[number];

/** One public endpoint. Registration, validation, documentation and the security suite all read the row. */
export type ApiRow = {
  method: "get" | "post" | "put" | "patch" | "delete";
  /** `:id` stands for a sandbox id, `:execId` for a command's. */
  path: string;
  summary: string;
  /** `null` = open to everyone. */
  scope: Scope | null;
  /** Tokens taken from the bucket of the tenant. */
  tokens: number;
  query?: z.ZodType;
  body?: z.ZodType;
  /** The body is bytes, streamed and bounded by this, never parsed. */
  rawBodyMaxBytes?: number;
  /** Absent = bytes or a stream (`status` 200), or nothing (204). */
  result?: z.ZodType;
  /** With `Accept: text/event-stream` the answer is a stream of events in place of the result. */
  orStream?: true;
  status: number;
  errors: readonly ErrorCode[];
  example?: { query?: Record<string, string>; body?: unknown };
};

const onSandbox = ["sandbox_not_found", "sandbox_ended", "host_unreachable"] as const;
const onFile = [...onSandbox, "file_not_found", "path_refused", "file_permission_denied"] as const;
const onArchive = [
  ...onFile,
  "not_a_folder",
  "archive_unsupported",
  "process_limit",
  "too_many_execs",
  "exec_interrupted",
] as const;
const sandbox = "/v1/sandboxes/:id";

/** Codes that any endpoint can answer; a row lists only its own. */
export const genericErrors = [
  "invalid_request",
  "invalid_json",
  "unauthenticated",
  "forbidden",
  "not_found",
  "method_not_allowed",
  "request_timeout",
  "conflict",
  "payload_too_large",
  "unsupported_media_type",
  "internal",
  "unavailable",
] as const satisfies readonly ErrorCode[];

export const api = {
  createSandbox: {
    method: "post",
    path: "/v1/sandboxes",
    summary: "Create a sandbox",
    scope: "sandbox:write",
    tokens: 5,
    body: CreateSandbox,
    result: Sandbox,
    status: 201,
    errors: ["template_not_found", "quota_exceeded", "no_capacity", "host_unreachable", "sandbox_ended"],
    example: { body: { template: "python", lifetimeSeconds: 600, metadata: { purpose: "demo" } } },
  },
  listSandboxes: {
    method: "get",
    path: "/v1/sandboxes",
    summary: "List sandboxes, newest first",
    scope: "sandbox:read",
    tokens: 1,
    query: ListSandboxes,
    result: SandboxPage,
    status: 200,
    errors: [],
    example: { query: { state: "running", limit: "10" } },
  },
  getSandbox: {
    method: "get",
    path: sandbox,
    summary: "Read one sandbox",
    scope: "sandbox:read",
    tokens: 1,
    result: Sandbox,
    status: 200,
    errors: ["sandbox_not_found"],
    example: {},
  },
  patchSandbox: {
    method: "patch",
    path: sandbox,
    summary: "Change the lifetime or the metadata of a sandbox",
    scope: "sandbox:write",
    tokens: 1,
    body: PatchSandbox,
    result: Sandbox,
    status: 200,
    errors: onSandbox,
    example: { body: { lifetimeSeconds: 1200 } },
  },
  deleteSandbox: {
    method: "delete",
    path: sandbox,
    summary: "End a sandbox; it is `ending` until its host has confirmed",
    scope: "sandbox:write",
    tokens: 1,
    status: 204,
    errors: ["sandbox_not_found"],
    example: {},
  },
  exec: {
    method: "post",
    path: `${sandbox}/exec`,
    summary: "Run a command and wait for its result, or stream its output",
    scope: "exec",
    tokens: 1,
    query: ExecQuery,
    body: ExecRequest,
    result: ExecResult,
    orStream: true,
    status: 200,
    errors: [
      ...onSandbox,
      "command_not_found",
      "cwd_not_found",
      "process_limit",
      "too_many_execs",
      "exec_interrupted",
      "exec_lost",
    ],
    example: { body: { command: "echo hello", timeoutMs: 5000 } },
  },
  followExec: {
    method: "get",
    path: `${sandbox}/exec/:execId`,
    summary: "Read a command's stream on from an event",
    scope: "exec",
    tokens: 1,
    query: FollowQuery,
    status: 200,
    errors: [...onSandbox, "exec_not_found"],
    example: { query: { after: "0" } },
  },
  readFile: {
    method: "get",
    path: `${sandbox}/files`,
    summary: "Read a file, or a range of it",
    scope: "files:read",
    tokens: 1,
    query: FileQuery,
    status: 200,
    errors: [...onFile, "not_a_file", "range_not_satisfiable"],
    example: { query: { path: "/etc/os-release" } },
  },
  writeFile: {
    method: "put",
    path: `${sandbox}/files`,
    summary: "Write a file, making its folders",
    scope: "files:write",
    tokens: 1,
    query: FileQuery,
    rawBodyMaxBytes: limits.fileMaxBytes,
    result: WrittenFile,
    status: 200,
    errors: [...onSandbox, "not_a_file", "path_refused", "file_permission_denied", "no_space"],
    example: { query: { path: "notes/hello.txt" } },
  },
  deleteFile: {
    method: "delete",
    path: `${sandbox}/files`,
    summary: "Delete a file, a symlink or a folder",
    scope: "files:write",
    tokens: 1,
    query: DeleteQuery,
    status: 204,
    errors: [...onFile, "not_a_file", "folder_not_empty"],
    example: { query: { path: "notes", recursive: "true" } },
  },
  listEntries: {
    method: "get",
    path: `${sandbox}/entries`,
    summary: "List a folder, or say what a path is",
    scope: "files:read",
    tokens: 1,
    query: EntriesQuery,
    result: EntryPage,
    status: 200,
    errors: [...onFile, "not_a_folder"],
    example: { query: { path: "/home/user", depth: "2", limit: "100" } },
  },
  readArchive: {
    method: "get",
    path: `${sandbox}/archive`,
    summary: "Read a folder as a tar archive",
    scope: "files:read",
    tokens: 5,
    query: ArchiveQuery,
    status: 200,
    errors: [...onArchive],
    example: { query: { path: "/home/user" } },
  },
  writeArchive: {
    method: "put",
    path: `${sandbox}/archive`,
    summary: "Unpack a tar archive into a folder",
    scope: "files:write",
    tokens: 5,
    query: ArchiveQuery,
    rawBodyMaxBytes: limits.fileMaxBytes,
    status: 204,
    errors: [...onArchive, "archive_invalid", "no_space"],
    example: { query: { path: "/home/user" } },
  },
  healthz: {
    method: "get",
    path: "/healthz",
    summary: "Is the process up",
    scope: null,
    tokens: 0,
    result: Health,
    status: 200,
    errors: [],
    example: {},
  },
  readyz: {
    method: "get",
    path: "/readyz",
    summary: "Is the database there; `degraded` while no host is heard",
    scope: null,
    tokens: 0,
    result: Ready,
    status: 200,
    errors: ["unavailable"],
    example: {},
  },
} as const satisfies Record<string, ApiRow>;

export type ApiName = keyof typeof api;
