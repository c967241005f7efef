import type { Scope } from "#contract/api";
import type { KeyId, SandboxId, TenantId } from "#contract/ids";
import type { KeyRate, TenantLimits } from "#contract/plan";

export type Clock = () => number;

/** Keeps work alive that no answer waits for; the runtime drains it before it stops. */
export type Background = (name: string, work: Promise<unknown>) => void;

/** What a verb knows of the request that it acts for. */
export type RequestCtx = {
  requestId: string;
  /** Aborted when the caller has gone away; a call, since some runtimes pay for making one. */
  signal?: (() => AbortSignal) | undefined;
  background: Background;
  /** Adds a fact to the one log event of this request. */
  note: (name: string, value: string | number | boolean) => void;
};

/** What a key may, besides its scopes; `null` = what its tenant may. */
export type Restrictions = {
  templates: readonly string[] | null;
  expiresAtMs: number | null;
  monthlyCapMicros: number | null;
  rate: KeyRate | null;
};

export type Ctx = RequestCtx & {
  tenantId: TenantId;
  keyId: KeyId;
  scopes: readonly Scope[];
  restrictions: Restrictions;
  /** The one that the caller's token is for; `null` for who has shown the key itself. */
  sandboxId: SandboxId | null;
  /** The tenant's, as they were when the key was last looked up. */
  limits: TenantLimits;
};
