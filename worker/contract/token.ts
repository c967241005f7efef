import * as z from "zod";
import type { Scope } from "./api-row.ts";
import { KeyId, SandboxId, TenantId } from "./ids.ts";
import { limits } from "./limits.ts";

/** What a sandbox's token can be good for. Its place in this list is its bit in a token: append only. */
export const tokenScopes = [
  "sandbox:read",
  "sandbox:write",
  "exec",
  "files:read",
  "files:write",
] as const satisfies readonly Scope[];
export type TokenScope = (typeof tokenScopes)[number];

export const CreateToken = z
  .strictObject({
    scopes: z
      .array(z.enum(tokenScopes))
      .min(1)
      .max(tokenScopes.length)
      .optional()
      .describe("None that the key of this request does not have; all that it has when absent."),
    expiresInSeconds: z
      .int()
      .min(limits.tokenLifetimeMinSeconds)
      .max(limits.lifetimeMaxSeconds)
      .optional()
      .describe("Never past the end of the sandbox's lifetime, which is also meant when it is absent."),
  })
  .meta({ id: "CreateToken" });
export type CreateToken = z.infer<typeof CreateToken>;

export const SandboxToken = z
  .strictObject({
    token: z.string().describe("Sent like an API key; good for this sandbox alone."),
    sandboxId: SandboxId,
    scopes: z.array(z.enum(tokenScopes)),
    expiresAt: z.iso.datetime(),
  })
  .meta({ id: "SandboxToken" });
export type SandboxToken = z.infer<typeof SandboxToken>;

/** What a token says of itself. */
export type TokenClaims = {
  sandboxId: SandboxId;
  tenantId: TenantId;
  /** Whose rights it carries; with the key it goes. */
  keyId: KeyId;
  scopes: TokenScope[];
  expiresAtMs: number;
};

export const tokenPrefix = "sbt_";
/** `sbt_`, the claims, and 32 hex digits of an HMAC over all before it. */
export const tokenPattern =
  /sbt_([a-z0-9]{24})_([a-z0-9]{20})_([a-z0-9]{20})_([0-9a-v])_([0-9a-z]{6,8})_([0-9a-f]{32})/;
const wholeToken = new RegExp(`^${tokenPattern.source}$`);

/** The part of a token that is signed. */
export function claimsText({ sandboxId, tenantId, keyId, scopes, expiresAtMs }: TokenClaims): string {
  const bits = tokenScopes.reduce((sum, scope, i) => sum + (scopes.includes(scope) ? 2 ** i : 0), 0);
  const seconds = Math.floor(expiresAtMs / 1000);
  const parts = [sandboxId, tenantId.slice(4), keyId.slice(4), bits.toString(32), seconds.toString(36)];
  return tokenPrefix + parts.join("_");
}

/** Takes a token apart; `null` for what is none. Whether it is one of ours only its `mac` tells. */
export function readToken(token: string): { claims: TokenClaims; signed: string; mac: string } | null {
  const [, sandbox = "", tenant = "", key = "", bits = "", seconds = "", mac = ""] =
    wholeToken.exec(token) ?? [];
  if (mac === "") return null;
  const mask = Number.parseInt(bits, 32);
  const claims = {
    sandboxId: SandboxId.parse(sandbox),
    tenantId: TenantId.parse(`ten_${tenant}`),
    keyId: KeyId.parse(`key_${key}`),
    scopes: tokenScopes.filter((_scope, i) => Math.floor(mask / 2 ** i) % 2 === 1),
    expiresAtMs: Number.parseInt(seconds, 36) * 1000,
  };
  return { claims, signed: token.slice(0, -(mac.length + 1)), mac };
}
