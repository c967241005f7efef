import { hostname } from "node:os";
import { expect } from "vitest";
import { type ErrorCode, errorTable, Problem } from "#contract/errors";
import { requestIdHeader } from "#contract/signature";

/** What no refusal may tell: how we are built, where we run, and names that only we use. */
const inner: Record<string, RegExp> = {
  "a stack": /\n\s*at |\bat \S+ \(|\.(?:ts|m?js):\d/,
  "a path of the machine": /(?:^|[\s"'`(=])\/(?:etc|home|opt|proc|root|run|srv|sys|tmp|usr|var|work)\//,
  "a file of ours": /node_modules|sandgate\.db|host\.json|\.env\b/,
  "what it is made with": /docker|container|cgroup|sandboxd|sqlite|libsql|undici|fetch failed|node:/i,
  "an error of the system": /\bE[A-Z]{4,}\b/,
  "a container or member": /\b(?=[0-9]*[a-f])(?=[a-f]*[0-9])(?:[0-9a-f]{12,64}|[0-9a-f]{8})\b/,
  "a host, tenant or key": /\b(?:hst|ten|key|rsv)_[a-z0-9]{20}\b/,
  "an address": /\b127\.0\.0\.1\b|\blocalhost\b|[a-z\d.]:\d{4,5}\b/,
  "a credential": /\be2b_[0-9a-f]{8}|\bbearer [0-9a-f]/i,
};

/** Checks a refusal in full: its shape, its headers, and that it tells nothing that is ours alone. */
export async function expectProblem(response: Response, status: number, code: ErrorCode): Promise<Problem> {
  const text = await response.text();
  expect([response.status, text]).toEqual([status, expect.stringContaining(`"code":"${code}"`)]);
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  const problem = Problem.parse(JSON.parse(text));
  expect(problem).toMatchObject({ status, code, retryable: errorTable[code].retryable });
  expect(problem.requestId).toMatch(/^req_[a-z0-9]{20}$/);
  expect(response.headers.get(requestIdHeader)).toBe(problem.requestId);
  expect(response.headers.has("retry-after")).toBe(errorTable[code].retryable);
  expect(problem.detail).toMatch(/^[A-Z`].{10,200}\.$/);
  for (const [what, pattern] of Object.entries(inner)) {
    expect(text, `the refusal shows ${what}`).not.toMatch(pattern);
  }
  expect(text.split(/[^A-Za-z0-9.-]/)).not.toContain(hostname());
  return problem;
}
