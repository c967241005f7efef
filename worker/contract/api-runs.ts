import type { ApiRow } from "./api.ts";
import { CreateRun, CreateRunQuery, ListRuns, Run, RunPage } from "./run.ts";

/** What rows with `isIdempotent` can answer besides. */
export const onMaking = ["idempotency_conflict", "idempotency_mismatch"] as const;
const run = "/v1/runs/:id";

export const runRows = {
  createRun: {
    method: "post",
    path: "/v1/runs",
    summary: "Run code or a command in a sandbox of its own; 202 when it has not ended within `wait`",
    scope: "runs:write",
    tokens: 5,
    query: CreateRunQuery,
    body: CreateRun,
    isIdempotent: true,
    result: Run,
    status: 200,
    pendingStatus: 202,
    errors: [...onMaking, "template_not_found", "quota_exceeded", "no_capacity"],
    example: {
      query: { wait: "30" },
      body: { template: "python", code: { language: "python", source: "print('hello')" }, timeoutMs: 5000 },
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
    example: { query: { state: "failed", limit: "10" } },
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
    example: {},
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
    example: {},
  },
} as const satisfies Record<string, ApiRow>;
