import { adminRows } from "./api-admin.ts";
import { fileRows } from "./api-files.ts";
import { keyRows } from "./api-keys.ts";
import { portRows } from "./api-ports.ts";
import { processRows } from "./api-processes.ts";
import { type ApiRow, onSandbox, sandbox } from "./api-row.ts";
import { onAdmission, onMaking, runRows } from "./api-runs.ts";
import { serviceRows } from "./api-service.ts";
import type { ErrorCode } from "./errors.ts";
import { ExecQuery, ExecRequest, ExecResult, FollowQuery } from "./exec.ts";
import { SandboxMetrics } from "./metrics.ts";
import { QuoteQuery } from "./quote.ts";
import { CreateSandbox, ListSandboxes, PatchSandbox, Sandbox, SandboxPage } from "./sandbox.ts";
import { CreateSandboxBatch, SandboxBatch } from "./sandbox-batch.ts";

/** Of the contract below `/v1`: what is added raises the second number, nothing is ever taken away. */
export const apiVersion = "1.2";

const exampleSandbox = {
  id: "hk3vq0d8m1x5z7c2b9n4t6r8",
  template: "base",
  state: "running",
  cpu: 1,
  memoryMiB: 256,
  pids: 256,
  diskMiB: 1024,
  lifetimeSeconds: 600,
  idleSeconds: 300,
  publicPorts: false,
  metadata: { purpose: "demo" },
  createdAt: "2026-01-31T12:00:00.000Z",
  expiresAt: "2026-01-31T12:10:00.000Z",
};

const exampleSample = {
  at: "2026-01-31T12:01:00.000Z",
  cpuMs: 812.4,
  cpuPercent: 12.5,
  memoryBytes: 18219008,
  processes: 3,
  readBytes: 0,
  writtenBytes: 4096,
  workspaceBytes: 4096,
  workspaceInodes: 12,
};

export { type ApiRow, type Scope, scopes } from "./api-row.ts";

/** Codes that any endpoint can answer; a row lists only its own. */
export const genericErrors = [
  "invalid_request",
  "invalid_json",
  "unauthenticated",
  "forbidden",
  "not_found",
  "method_not_allowed",
  "request_timeout",
  "rate_limited",
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
    rateClass: "create",
    tokens: 1,
    query: QuoteQuery,
    body: CreateSandbox,
    isIdempotent: true,
    orQuote: true,
    result: Sandbox,
    status: 201,
    errors: [
      ...onMaking,
      ...onAdmission,
      "template_not_found",
      "no_capacity",
      "host_unreachable",
      "sandbox_ended",
    ],
    example: {
      body: { template: "python", lifetimeSeconds: 600, metadata: { purpose: "demo" } },
      result: exampleSandbox,
    },
  },
  createSandboxBatch: {
    method: "post",
    path: "/v1/sandboxes/batch",
    summary: "Create many sandboxes at once; 207 when not all of them could be made",
    scope: "sandbox:write",
    rateClass: "create",
    tokens: 1,
    tokensTimes: "count",
    query: QuoteQuery,
    body: CreateSandboxBatch,
    isIdempotent: true,
    orQuote: true,
    result: SandboxBatch,
    status: 201,
    partialStatus: 207,
    errors: [
      ...onMaking,
      ...onAdmission,
      "template_not_found",
      "no_capacity",
      "host_unreachable",
      "sandbox_ended",
    ],
    example: {
      body: { count: 2, template: "python", lifetimeSeconds: 600, metadata: { purpose: "demo" } },
      result: {
        items: [
          { sandbox: exampleSandbox },
          { sandbox: { ...exampleSandbox, id: "hk3vq0d8m1x5z7c2b9n4t6r9" } },
        ],
        created: 2,
        failed: 0,
      },
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
    errors: ["sandbox_not_found", "sandbox_ended"],
    example: { result: exampleSandbox },
  },
  patchSandbox: {
    method: "patch",
    path: sandbox,
    summary: "Change the lifetime, the metadata or the budget of a sandbox",
    scope: "sandbox:write",
    tokens: 1,
    body: PatchSandbox,
    result: Sandbox,
    status: 200,
    errors: [...onSandbox, "budget_exceeded", "limit_exceeded", "quota_exceeded"],
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
  getSandboxMetrics: {
    method: "get",
    path: `${sandbox}/metrics`,
    summary: "Read what a sandbox uses and has used in the last ten minutes",
    scope: "sandbox:read",
    rateClass: "data",
    tokens: 1,
    result: SandboxMetrics,
    status: 200,
    errors: onSandbox,
    example: {
      result: {
        cpu: 1,
        memoryLimitBytes: 268435456,
        processesLimit: 256,
        workspaceLimitBytes: 1040580608,
        workspaceInodesLimit: 65536,
        current: exampleSample,
        intervalSeconds: 5,
        history: [exampleSample],
      },
    },
  },
  exec: {
    method: "post",
    path: `${sandbox}/exec`,
    summary: "Run a command and wait for its result, or stream its output",
    scope: "exec",
    rateClass: "data",
    tokens: 1,
    query: ExecQuery,
    body: ExecRequest,
    result: ExecResult,
    orStream: true,
    status: 200,
    errors: [
      ...onSandbox,
      "command_not_found",
      "file_permission_denied",
      "cwd_not_found",
      "process_limit",
      "too_many_streams",
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
  followExec: {
    method: "get",
    path: `${sandbox}/exec/:execId`,
    resultType: "text/event-stream",
    summary: "Read a command's stream on from an event",
    scope: "exec",
    rateClass: "data",
    tokens: 1,
    query: FollowQuery,
    status: 200,
    errors: [...onSandbox, "exec_not_found", "too_many_streams"],
    example: { query: { after: "0" } },
  },
  ...processRows,
  ...fileRows,
  ...portRows,
  ...runRows,
  ...keyRows,
  ...adminRows,
  ...serviceRows,
} as const satisfies Record<string, ApiRow>;

export type ApiName = keyof typeof api;
