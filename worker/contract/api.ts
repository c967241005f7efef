import type * as z from "zod";
import { onMaking, runRows } from "./api-runs.ts";
import { serviceRows } from "./api-service.ts";
import type { ErrorCode } from "./errors.ts";
import { ExecRequest, ExecResult } from "./exec.ts";
import { FileQuery, WrittenFile } from "./files.ts";
import { limits } from "./limits.ts";
import { CreateSandbox, ListSandboxes, PatchSandbox, Sandbox, SandboxPage } from "./sandbox.ts";

/** Of the contract below `/v1`: what is added raises the second number, nothing is ever taken away. */
export const apiVersion = "1.1";

export const scopes = [
  "sandbox:read",
  "sandbox:write",
  "exec",
  "files:read",
  "files:write",
  "runs:read",
  "runs:write",
] as const;
export type Scope = (typeof scopes)[number];

/** One public endpoint. Registration, validation, documentation and the security suite all read the row. */
export type ApiRow = {
  method: "get" | "post" | "put" | "patch" | "delete";
  /** `:id` stands for the id of what the collection before it holds. */
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
  /** It makes something: with an `Idempotency-Key` it makes it once, and says the same again to whoever repeats it. */
  isIdempotent?: true;
  /** Absent = bytes (`status` 200) or nothing (204). */
  result?: z.ZodType;
  /** What bytes are; `application/octet-stream` when absent. */
  resultType?: string;
  status: number;
  /** The answer in place of `status` while what was made has not ended. */
  pendingStatus?: number;
  errors: readonly ErrorCode[];
  /** A request that a test sends to a real stack, and what may come back. */
  example?: { query?: Record<string, string>; body?: unknown; result?: unknown };
};

const onSandbox = ["sandbox_not_found", "sandbox_ended", "host_unreachable"] as const;
const sandbox = "/v1/sandboxes/:id";

const exampleSandbox = {
  id: "hk3vq0d8m1x5z7c2b9n4t6r8",
  template: "base",
  state: "running",
  cpu: 1,
  memoryMiB: 256,
  lifetimeSeconds: 600,
  idleSeconds: 300,
  metadata: { purpose: "demo" },
  createdAt: "2026-01-31T12:00:00.000Z",
  expiresAt: "2026-01-31T12:10:00.000Z",
};

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
    isIdempotent: true,
    result: Sandbox,
    status: 201,
    errors: [
      ...onMaking,
      "template_not_found",
      "quota_exceeded",
      "no_capacity",
      "host_unreachable",
      "sandbox_ended",
    ],
    example: {
      body: { template: "python", lifetimeSeconds: 600, metadata: { purpose: "demo" } },
      result: exampleSandbox,
    },
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
    errors: ["template_not_found"],
    example: {
      query: { state: "running", template: "python", "metadata.purpose": "demo", limit: "10" },
      result: { items: [exampleSandbox] },
    },
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
    example: { result: exampleSandbox },
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
    example: {
      body: { lifetimeSeconds: 1200 },
      result: { ...exampleSandbox, lifetimeSeconds: 1200, expiresAt: "2026-01-31T12:20:00.000Z" },
    },
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
    summary: "Run a command and wait for its result",
    scope: "exec",
    tokens: 1,
    body: ExecRequest,
    result: ExecResult,
    status: 200,
    errors: [
      ...onSandbox,
      "command_not_found",
      "file_permission_denied",
      "cwd_not_found",
      "process_limit",
      "too_many_execs",
      "exec_interrupted",
      "exec_lost",
    ],
    example: {
      body: { command: "echo hello", timeoutMs: 5000 },
      result: {
        exitCode: 0,
        stdout: "hello\n",
        stderr: "",
        truncated: { stdout: false, stderr: false },
        durationMs: 1.8,
        endReason: "exited",
      },
    },
  },
  readFile: {
    method: "get",
    path: `${sandbox}/files`,
    summary: "Read a file",
    scope: "files:read",
    tokens: 1,
    query: FileQuery,
    status: 200,
    errors: [
      ...onSandbox,
      "too_many_execs",
      "file_not_found",
      "not_a_file",
      "path_refused",
      "file_permission_denied",
    ],
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
    errors: [
      ...onSandbox,
      "too_many_execs",
      "not_a_file",
      "path_refused",
      "file_permission_denied",
      "no_space",
    ],
    example: {
      query: { path: "notes/hello.txt" },
      result: { path: "/home/user/notes/hello.txt", size: 6, mode: "0644" },
    },
  },
  ...runRows,
  ...serviceRows,
} as const satisfies Record<string, ApiRow>;

export type ApiName = keyof typeof api;
