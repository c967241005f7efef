import type { ApiRow } from "./api-row.ts";
import { CreateRun, CreateRunQuery, ListRuns, Run, RunPage } from "./run.ts";

/** What rows with `isIdempotent` can answer besides. */
export const onMaking = ["idempotency_conflict", "idempotency_mismatch"] as const;
/** What an admission can refuse. */
export const onAdmission = ["budget_exceeded", "limit_exceeded", "quota_exceeded"] as const;
const run = "/v1/runs/:id";

const exampleSummary = {
  id: "run_7c2b9n4t6r8hk3vq0d8m",
  state: "succeeded",
  template: "base",
  sandboxId: "hk3vq0d8m1x5z7c2b9n4t6r8",
  metadata: {},
  timeoutMs: 5000,
  createdAt: "2026-01-31T12:00:00.000Z",
  endedAt: "2026-01-31T12:00:00.052Z",
  exitCode: 0,
  truncated: { stdout: false, stderr: false },
  endReason: "exited",
  cached: false,
  timings: { queuedMs: 2, leaseMs: 12, filesMs: 4, execMs: 34, totalMs: 52 },
  usage: { cpu: 1, memoryMiB: 256, wallMs: 50 },
};
const exampleRun = { ...exampleSummary, stdout: "hello\n", stderr: "" };
const exampleCanceled = {
  id: exampleRun.id,
  state: "canceled",
  template: "base",
  metadata: {},
  timeoutMs: 60_000,
  createdAt: exampleRun.createdAt,
  endedAt: exampleRun.endedAt,
  endReason: "canceled",
  cached: false,
  timings: { totalMs: 52 },
};

export const runRows = {
  createRun: {
    method: "post",
    path: "/v1/runs",
    summary: "Run code or a command in a sandbox of its own; 202 when it has not ended within `wait`",
    scope: "runs:write",
    rateClass: "create",
    tokens: 1,
    query: CreateRunQuery,
    body: CreateRun,
    isIdempotent: true,
    orQuote: true,
    result: Run,
    status: 200,
    pendingStatus: 202,
    errors: [...onMaking, ...onAdmission, "template_not_found", "no_capacity"],
    example: {
      query: { wait: "30" },
      body: { template: "python", code: { language: "python", source: "print('hello')" }, timeoutMs: 5000 },
      result: exampleRun,
    },
  },
  listRuns: {
    method: "get",
    path: "/v1/runs",
    summary: "List runs, newest first, without what they printed",
    scope: "runs:read",
    tokens: 1,
    query: ListRuns,
    result: RunPage,
    status: 200,
    errors: ["template_not_found"],
    example: { query: { state: "succeeded", limit: "10" }, result: { items: [exampleSummary] } },
  },
  getRun: {
    method: "get",
    path: run,
    summary: "Read one run",
    scope: "runs:read",
    tokens: 1,
    result: Run,
    status: 200,
    errors: ["run_not_found"],
    example: { result: exampleRun },
  },
  cancelRun: {
    method: "post",
    path: `${run}/cancel`,
    summary: "Cancel a run and end its sandbox",
    scope: "runs:write",
    tokens: 1,
    result: Run,
    status: 200,
    errors: ["run_not_found", "run_ended"],
    example: { result: exampleCanceled },
  },
} as const satisfies Record<string, ApiRow>;
