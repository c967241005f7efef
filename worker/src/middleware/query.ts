import type * as z from "zod";
import { metadataPrefix } from "#contract/page";
import { AppError, type Issue } from "../errors.ts";

const issuesMax = 20;
const pathMaxChars = 200;

/**
 * The query of a URL as one value per name. Twice the same name, or bytes that are not UTF-8, could mean different
 * things to two readers, so both are refused.
 * @throws AppError `invalid_request`
 */
export function parseQuery(url: string): Record<string, string> {
  const start = url.indexOf("?");
  // Without a prototype, `__proto__` is a name like any other, and an unknown one.
  const query: Record<string, string> = Object.create(null);
  if (start === -1) return query;
  for (const pair of url
    .slice(start + 1)
    .split("#", 1)[0]
    ?.split("&") ?? []) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    const name = decoded(equals === -1 ? pair : pair.slice(0, equals));
    if (name in query) throw invalid([{ path: name, message: "must appear once" }]);
    query[name] = equals === -1 ? "" : decoded(pair.slice(equals + 1));
  }
  return query;
}

/**
 * The same query with `metadata.<key>` gathered into one map, as schemas have it.
 * @throws AppError `invalid_request`
 */
export function withMetadata(sent: Record<string, string>): Record<string, unknown> {
  const query: Record<string, unknown> = Object.create(null);
  const metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(sent)) {
    if (!name.startsWith(metadataPrefix)) query[name] = value;
    else if (name === `${metadataPrefix}__proto__`)
      throw invalid([{ path: name, message: "cannot be used as a name" }]);
    else metadata[name.slice(metadataPrefix.length)] = value;
  }
  if (Object.keys(metadata).length === 0) return query;
  if ("metadata" in query) throw invalid([{ path: "metadata", message: "must be sent as metadata.<key>" }]);
  return { ...query, metadata };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    throw invalid([{ path: "query", message: "must be percent-encoded UTF-8" }]);
  }
}

/**
 * Checks a part of a request against its schema.
 * @throws AppError `invalid_request` that says where the fault is, never what was sent
 */
export function parseWith<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw invalid(
    parsed.error.issues.map((issue) => ({
      path: issue.path.map(String).join("."),
      message: issue.code === "unrecognized_keys" ? "has properties that are not known" : issue.message,
    })),
  );
}

export function invalid(issues: Issue[]): AppError {
  return new AppError("invalid_request", "The request is not valid; `issues` says where.", {
    issues: issues
      .slice(0, issuesMax)
      .map(({ path, message }) => ({ path: path.slice(0, pathMaxChars), message })),
  });
}
