import { SandboxId } from "#contract/ids";
import { AppError } from "../errors.ts";

export type Position = { createdAtMs: number; id: SandboxId };

/** Where a page ended, as text for the caller to send back; it grants nothing, pages are read per tenant. */
export function toCursor(position: Position): string {
  return btoa(`${position.createdAtMs}.${position.id}`)
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace(/=+$/, "");
}

/** @throws AppError `invalid_request` for what `toCursor` did not make */
export function fromCursor(cursor: string): Position {
  const match = /^(\d{1,15})\.([a-z0-9]+)$/.exec(decoded(cursor));
  const id = SandboxId.safeParse(match?.[2]);
  if (match?.[1] && id.success) return { createdAtMs: Number(match[1]), id: id.data };
  throw new AppError("invalid_request", "The cursor is not one that a page gave.", {
    issues: [{ path: "cursor", message: "must be the nextCursor of a page" }],
  });
}

function decoded(cursor: string): string {
  try {
    return atob(cursor.replaceAll("-", "+").replaceAll("_", "/"));
  } catch {
    return "";
  }
}
