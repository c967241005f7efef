import type { ApiRow } from "#contract/api";
import { type ErrorCode, errorCodes, errorTable } from "#contract/errors";

/** What no operation answers: an address or a method that none of them has. */
export const outsideOfRows: readonly ErrorCode[] = ["not_found", "method_not_allowed"];

/** Every code that a caller of this row can meet, its own and those that come with what it takes, in the table's order. */
export function errorsOf(row: ApiRow): ErrorCode[] {
  const codes = new Set<ErrorCode>([...row.errors, "invalid_request", "internal"]);
  const add = (...more: ErrorCode[]) => {
    for (const code of more) codes.add(code);
  };
  if (row.scope !== null) add("unauthenticated", "unavailable");
  if (row.scope !== null && row.scope !== "operator") add("forbidden");
  if (row.tokens > 0) add("rate_limited");
  if (row.scope !== null && row.method !== "get") add("conflict");
  if (row.body) add("invalid_json");
  if (row.body || row.rawBodyMaxBytes !== undefined)
    add("unsupported_media_type", "payload_too_large", "request_timeout");
  return errorCodes.filter((code) => codes.has(code));
}

/** The same codes by the status that they are answered with. */
export function errorsByStatus(row: ApiRow): [number, ErrorCode[]][] {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of errorsOf(row)) {
    const { status } = errorTable[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return [...byStatus].sort(([a], [b]) => a - b);
}
