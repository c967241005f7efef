import type { Scope } from "#contract/api";
import type { KeyId, TenantId } from "#contract/ids";
import type { TenantLimits } from "#contract/plan";

export type Clock = () => number;

/** Keeps work alive that no answer waits for; the runtime drains it before it stops. */
export type Background = (name: string, work: Promise<unknown>) => void;

/** What a verb knows of the request that it acts for. */
export type RequestCtx = {
  requestId: string;
  /** Aborted when the caller has gone away; a call, since some runtimes pay for making one. */
  signal?: () => AbortSignal;
  background: Background;
  /** Adds a fact to the one log event of this request. */
  note: (name: string, value: string | number | boolean) => void;
};

export type Ctx = RequestCtx & {
  tenantId: TenantId;
  keyId: KeyId;
  scopes: readonly Scope[];
  /** As the key's cache has them: at most 5 s old. */
  limits: TenantLimits;
  /** Nothing but counts limits tenant and key: no quota of the month, no cap, and overage is billed. */
  isUnmetered: boolean;
};
