import type * as z from "zod";
import type { ErrorCode } from "./errors.ts";
import type { RateClass } from "./rate.ts";

export const scopes = [
  "sandbox:read",
  "sandbox:write",
  "exec",
  "files:read",
  "files:write",
  "runs:read",
  "runs:write",
  "keys:read",
  "keys:write",
  "usage:read",
  "audit:read",
] as const;
export type Scope = (typeof scopes)[number];

/** One public endpoint. Registration, validation, documentation and the security suite all read the row. */
export type ApiRow = {
  method: "get" | "post" | "put" | "patch" | "delete";
  /**
   * `:id` stands for the id of what the folder before it names (`resources`), `:execId` for a command's, `:processId`
   * and `:sessionId` for a process'; a `*` at the end for any path, or none.
   */
  path: string;
  summary: string;
  /** `null` = open to everyone; `operator` = not a tenant's at all, but for the holder of the admin key. */
  scope: Scope | "operator" | null;
  /** Which of the tenant's buckets it draws from; `control` when absent. */
  rateClass?: RateClass;
  /** Tokens taken from that bucket; operators have none. */
  tokens: number;
  /** It costs its tokens as many times as this member of the body says; the first time before the body is read. */
  tokensTimes?: string;
  query?: z.ZodType;
  body?: z.ZodType;
  /** The body is bytes, streamed and bounded by this, never parsed. */
  rawBodyMaxBytes?: number;
  /** It makes something: with an `Idempotency-Key` it makes it once, and says the same again to whoever repeats it. */
  isIdempotent?: true;
  /** Absent = bytes or a stream (`status` 200), or nothing (204). */
  result?: z.ZodType;
  /** With `Accept: text/event-stream` the answer is a stream of events in place of the result. */
  orStream?: true;
  /** With `?quote=true` the answer is a `Quote` in place of the result, and nothing is made. */
  orQuote?: true;
  /** What bytes are; `application/octet-stream` when absent. */
  resultType?: string;
  /** It hands out what would outlive a sandbox's token, so such a token is not enough. */
  isForKeysOnly?: true;
  /** Any method, query, headers and body are passed on, and the answer is whatever comes back; a WebSocket too. */
  isProxy?: true;
  /** A GET that becomes a WebSocket; its key may come as a subprotocol. */
  isWebSocket?: true;
  status: number;
  /** The answer in place of `status` while what was made has not ended. */
  pendingStatus?: number;
  /** The answer in place of `status` where only a part was made. */
  partialStatus?: number;
  errors: readonly ErrorCode[];
  /** A request that a test sends to a real stack, and what may come back. */
  example?: {
    /** What stands in the path besides the id. */
    params?: Record<string, string>;
    query?: Record<string, string>;
    body?: unknown;
    result?: unknown;
  };
};

/** Where the rows of one sandbox are, and what each of them may answer. */
export const sandbox = "/v1/sandboxes/:id";
export const onSandbox = ["sandbox_not_found", "sandbox_ended", "host_unreachable"] as const;
