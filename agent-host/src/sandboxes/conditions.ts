/** What a caller wants of a file, besides its path: the headers of their request. */
export type ReadConditions = {
  range?: string | undefined;
  ifRange?: string | undefined;
  ifNoneMatch?: string | undefined;
  ifModifiedSince?: string | undefined;
};
export type FileFacts = { size: number; etag: string; mtimeMs: number };
export type Reading =
  | { kind: "whole" }
  | { kind: "range"; first: number; last: number }
  | { kind: "notModified" }
  | { kind: "unsatisfiable" };

/** What of a file is to be sent, by the rules of HTTP: conditions first, then the range. */
export function readingOf(facts: FileFacts, wanted: ReadConditions): Reading {
  if (isUnmodified(facts, wanted)) return { kind: "notModified" };
  const isRangeValid = wanted.ifRange === undefined || isSame(facts, wanted.ifRange.trim());
  return (
    (isRangeValid && wanted.range !== undefined && rangeOf(facts.size, wanted.range)) || { kind: "whole" }
  );
}

export function hasConditions({ range, ifNoneMatch, ifModifiedSince }: ReadConditions): boolean {
  // `If-Range` says something about a range only.
  return range !== undefined || ifNoneMatch !== undefined || ifModifiedSince !== undefined;
}

/** HTTP's dates have seconds only. */
export const httpDate = (ms: number) => new Date(Math.min(ms, lastDateMs)).toUTCString();
/** The end of the year 9999; a tenant may give a file any time. */
export const lastDateMs = 253_402_300_799_999;

function isUnmodified(
  { etag, mtimeMs }: FileFacts,
  { ifNoneMatch, ifModifiedSince }: ReadConditions,
): boolean {
  if (ifNoneMatch !== undefined) {
    return ifNoneMatch
      .split(",")
      .some((tag) => tag.trim() === "*" || tag.trim().replace(/^W\//, "") === etag);
  }
  const sinceMs = Date.parse(ifModifiedSince ?? "");
  return !Number.isNaN(sinceMs) && Math.floor(mtimeMs / 1000) * 1000 <= sinceMs;
}

function isSame({ etag, mtimeMs }: FileFacts, ifRange: string): boolean {
  return ifRange.startsWith('"') ? ifRange === etag : ifRange === httpDate(mtimeMs);
}

/** One range of bytes. Another unit, several ranges, or nonsense is no range, and the whole file is the answer. */
function rangeOf(size: number, header: string): Reading | undefined {
  const [, from = "", to = ""] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header.trim()) ?? [];
  if (from === "" && to === "") return undefined;
  if (from !== "" && to !== "" && Number(to) < Number(from)) return undefined;
  const first = from === "" ? Math.max(0, size - Number(to)) : Number(from);
  const last = from === "" || to === "" ? size - 1 : Math.min(Number(to), size - 1);
  return first > last ? { kind: "unsatisfiable" } : { kind: "range", first, last };
}
