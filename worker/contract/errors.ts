import * as z from "zod";

/** Every code that a caller can meet: its status, whether the same request may be sent again, and a title. */
export const errorTable = {
  invalid_request: { status: 400, retryable: false, title: "The request is not valid" },
  invalid_json: { status: 400, retryable: false, title: "The body is not valid JSON" },
  path_refused: { status: 400, retryable: false, title: "The path cannot be used" },
  unauthenticated: { status: 401, retryable: false, title: "A valid API key is needed" },
  budget_exceeded: { status: 402, retryable: false, title: "A budget has no room for it" },
  forbidden: { status: 403, retryable: false, title: "The API key may not do this" },
  limit_exceeded: {
    status: 403,
    retryable: false,
    title: "The plan has no sandbox of this size or lifetime",
  },
  file_permission_denied: { status: 403, retryable: false, title: "The sandbox user may not do this" },
  not_found: { status: 404, retryable: false, title: "There is nothing at this address" },
  sandbox_not_found: { status: 404, retryable: false, title: "There is no such sandbox" },
  exec_not_found: { status: 404, retryable: false, title: "There is no such command, or no more" },
  process_not_found: { status: 404, retryable: false, title: "There is no such process, or no more" },
  run_not_found: { status: 404, retryable: false, title: "There is no such run" },
  key_not_found: { status: 404, retryable: false, title: "There is no such API key" },
  tenant_not_found: { status: 404, retryable: false, title: "There is no such tenant" },
  plan_not_found: { status: 404, retryable: false, title: "There is no such plan" },
  host_not_found: { status: 404, retryable: false, title: "There is no such host" },
  template_not_found: { status: 404, retryable: false, title: "There is no such template" },
  file_not_found: { status: 404, retryable: false, title: "There is no such file" },
  method_not_allowed: { status: 405, retryable: false, title: "The method does not fit this address" },
  request_timeout: { status: 408, retryable: true, title: "The request did not arrive in time" },
  conflict: { status: 409, retryable: false, title: "The state has changed in between" },
  already_created: { status: 409, retryable: false, title: "It was made by an earlier request" },
  idempotency_conflict: { status: 409, retryable: true, title: "A request with this key is under way" },
  not_a_file: { status: 409, retryable: false, title: "There is something other than a regular file" },
  not_a_folder: { status: 409, retryable: false, title: "There is something other than a folder" },
  folder_not_empty: { status: 409, retryable: false, title: "The folder is not empty" },
  process_limit: { status: 409, retryable: true, title: "The sandbox has no room for another process" },
  process_ended: { status: 409, retryable: false, title: "The process has ended" },
  input_closed: { status: 409, retryable: false, title: "The process takes no input" },
  input_full: { status: 409, retryable: true, title: "The process does not read its input" },
  watch_limit: { status: 409, retryable: false, title: "The sandbox watches as much as it can" },
  session_busy: { status: 409, retryable: true, title: "The session runs another command" },
  not_a_terminal: { status: 409, retryable: false, title: "The process has no terminal" },
  sandbox_outdated: { status: 409, retryable: false, title: "The sandbox is older than this call" },
  run_ended: { status: 409, retryable: false, title: "The run has ended" },
  sandbox_ended: { status: 410, retryable: false, title: "The sandbox has ended" },
  payload_too_large: { status: 413, retryable: false, title: "The body is too large" },
  unsupported_media_type: { status: 415, retryable: false, title: "The content type does not fit" },
  range_not_satisfiable: { status: 416, retryable: false, title: "The file has no such bytes" },
  command_not_found: { status: 422, retryable: false, title: "There is no such program in the sandbox" },
  cwd_not_found: { status: 422, retryable: false, title: "The working directory cannot be used" },
  archive_invalid: { status: 422, retryable: false, title: "The archive cannot be unpacked" },
  archive_unsupported: { status: 422, retryable: false, title: "The template has no program for archives" },
  idempotency_mismatch: { status: 422, retryable: false, title: "The key was used for another request" },
  rate_limited: {
    status: 429,
    retryable: true,
    title: "There are more requests than the rate limit lets through",
  },
  too_many_streams: { status: 429, retryable: true, title: "The tenant has as many streams open as it may" },
  quota_exceeded: { status: 429, retryable: false, title: "A quota of the tenant is used up" },
  too_many_execs: { status: 429, retryable: true, title: "The sandbox runs as many commands as it can" },
  too_many_connections: {
    status: 429,
    retryable: true,
    title: "The ports of the sandbox have as many connections as they can",
  },
  internal: { status: 500, retryable: false, title: "Something failed on our side" },
  exec_lost: { status: 502, retryable: false, title: "The command's outcome is not known" },
  port_closed: { status: 502, retryable: true, title: "Nothing listens on this port of the sandbox" },
  port_failed: { status: 502, retryable: false, title: "The server in the sandbox gave no usable answer" },
  no_capacity: { status: 503, retryable: true, title: "No host has room at the moment" },
  host_unreachable: { status: 503, retryable: true, title: "The sandbox's host does not answer" },
  unavailable: { status: 503, retryable: true, title: "The service is not ready" },
  exec_interrupted: { status: 503, retryable: true, title: "The command was stopped before it began" },
  port_timeout: { status: 504, retryable: false, title: "The server in the sandbox did not answer in time" },
  no_space: { status: 507, retryable: false, title: "The sandbox's disk is full" },
} as const satisfies Record<string, { status: number; retryable: boolean; title: string }>;

export type ErrorCode = keyof typeof errorTable;
export const errorCodes = Object.keys(errorTable) as [ErrorCode, ...ErrorCode[]];

/** RFC 9457 problem details, as every error answer carries them. */
export const Problem = z
  .strictObject({
    type: z.string().describe("`urn:sandgate:error:` and the code."),
    title: z.string().describe("What the code means, always the same."),
    status: z.int(),
    detail: z.string().describe("What happened here, and what to do next."),
    code: z.enum(errorCodes).describe("What a program should look at."),
    requestId: z.string().describe("Name it when you ask about this answer."),
    retryable: z.boolean().describe("Whether the same request may be sent again."),
    issues: z
      .array(z.strictObject({ path: z.string(), message: z.string() }))
      .optional()
      .describe("Where in the request the fault is, for `invalid_request`."),
    facts: z
      .record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
      .optional()
      .describe("Facts a program can act on, such as a limit and its use."),
  })
  .meta({ id: "Problem" });
export type Problem = z.infer<typeof Problem>;
