import type { TenantId } from "#contract/ids";
import { equalInConstantTime, hmac, type LazyKey, toHex } from "./crypto.ts";
import { AppError } from "./errors.ts";

/** Lists go from new to old; the id decides between what was made in the same millisecond. */
export type Position = { createdAtMs: number; id: string };
/** Whose list, and which. */
export type CursorOf =
  | { tenantId: TenantId; list: "sandboxes" | "runs" | "keys" | "audit" }
  | { tenantId: "operator"; list: "tenants" | "hosts" | "hostSandboxes" | "audit" };

const macHexChars = 32;

/** Where a page ended, as text for the caller to send back; signed, so that only places a page gave are looked up. */
export async function toCursor(key: LazyKey, of: CursorOf, { createdAtMs, id }: Position): Promise<string> {
  const position = `${createdAtMs}.${id}`;
  return btoa(`${position}.${await macOf(key, of, position)}`)
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace(/=+$/, "");
}

/** @throws AppError `invalid_request` for what `toCursor` did not make, for this tenant and this list */
export async function fromCursor(key: LazyKey, of: CursorOf, cursor: string): Promise<Position> {
  const [, position = "", mac = ""] =
    /^(\d{1,15}\.[a-z0-9_]{1,64})\.([0-9a-f]{32})$/.exec(decoded(cursor)) ?? [];
  if (!equalInConstantTime(mac, await macOf(key, of, position))) {
    throw new AppError("invalid_request", "The cursor is not one that a page of this list gave.", {
      issues: [{ path: "cursor", message: "must be the nextCursor of a page" }],
    });
  }
  const [createdAtMs = "", id = ""] = position.split(".");
  return { createdAtMs: Number(createdAtMs), id };
}

async function macOf(key: LazyKey, { tenantId, list }: CursorOf, position: string): Promise<string> {
  return toHex(await hmac(await key(), `${list}\n${tenantId}\n${position}`)).slice(0, macHexChars);
}

function decoded(cursor: string): string {
  try {
    return atob(cursor.replaceAll("-", "+").replaceAll("_", "/"));
  } catch {
    return "";
  }
}
