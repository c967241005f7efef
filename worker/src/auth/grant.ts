import type { CreateKey } from "#contract/key";
import type { Ctx, Restrictions } from "../context.ts";
import type { Issue } from "../errors.ts";

/** What a key may hand on: all that it has, `null` = whatever its tenant may. One with a cap or a rate hands on nothing. */
export type Grantor = Pick<Ctx, "scopes"> & {
  restrictions: Pick<Restrictions, "templates" | "expiresAtMs">;
};

/** When a key that is asked for ends, by itself. */
export function expiryOf(wanted: CreateKey, nowMs: number): number | null {
  if (wanted.expiresInSeconds !== undefined) return nowMs + wanted.expiresInSeconds * 1000;
  return wanted.expiresAt === undefined ? null : Date.parse(wanted.expiresAt);
}

/**
 * The restrictions of a key that a key makes: what was asked for, and where nothing was, what its maker has. Or where
 * it would be wider than its maker.
 * @param wanted its templates by their own names
 */
export function restrict(
  grantor: Grantor,
  wanted: CreateKey,
  nowMs: number,
): { restrictions: Restrictions } | { issues: Issue[] } {
  const own = grantor.restrictions;
  const restrictions = {
    templates: wanted.templates ?? own.templates,
    expiresAtMs: expiryOf(wanted, nowMs) ?? own.expiresAtMs,
    monthlyCapMicros: wanted.budget?.monthlyCapMicros ?? null,
    rate: wanted.rate ?? null,
  };
  const wider = (path: string) => ({
    path,
    message: "must not be wider than that of the key of this request",
  });
  const issues: Issue[] = [];
  if (!wanted.scopes.every((scope) => grantor.scopes.includes(scope))) issues.push(wider("scopes"));
  if (!isWithin(own.templates, restrictions.templates)) issues.push(wider("templates"));
  if (isBeyond(own.expiresAtMs, restrictions.expiresAtMs)) issues.push(wider("expiresAt"));
  return issues.length > 0 ? { issues } : { restrictions };
}

function isWithin(own: readonly string[] | null, wanted: readonly string[] | null): boolean {
  return own === null || (wanted?.every((name) => own.includes(name)) ?? false);
}

const isBeyond = (own: number | null, wanted: number | null) =>
  own !== null && (wanted === null || wanted > own);
