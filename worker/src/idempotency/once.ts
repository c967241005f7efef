import { limits } from "#contract/limits";
import type { Clock, Ctx } from "../context.ts";
import type { LazyKey } from "../crypto.ts";
import type { Db } from "../db/client.ts";
import { AppError } from "../errors.ts";
import { type Asked, namesOf } from "./fingerprint.ts";
import {
  type Claim,
  ClaimLost,
  findRecord,
  type IdempotencyRow,
  releaseRecord,
  settleRecord,
} from "./store.ts";

type Deps = { db: Db; idempotencyKey: LazyKey; now: Clock };

/** An answer with the status that fits it. */
export type Made<T> = { status: number; result: T; isReplayed: boolean };

export type Work<T> = {
  /** The longest that `make` can be at work, by its own deadlines. */
  deadlineMs: number;
  /** Makes the resource, with the claim's rows in the batch that does. `null` = there is no key. */
  make: (claim: Claim | null) => Promise<{ status: number; result: T }>;
  /** What there is of the resource that a dead owner left. `null` = nothing, and nothing will come of it. */
  recover: (resourceId: string) => Promise<{ status: number; result: T } | null>;
};

const lookEveryMs = 50;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Carries out a request that has a key once, and answers the same to whoever sends it again.
 * @throws AppError `idempotency_conflict` while another one is at work, `idempotency_mismatch`
 */
export async function once<T>(
  deps: Deps,
  ctx: Ctx,
  asked: Omit<Asked, "tenantId" | "key"> & { key: string | null },
  work: Work<T>,
): Promise<Made<T>> {
  const { key } = asked;
  if (key === null) return { ...(await work.make(null)), isReplayed: false };
  const names = await namesOf(deps.idempotencyKey, { ...asked, key, tenantId: ctx.tenantId });
  for (let waitedMs = 0; waitedMs <= limits.idempotencyWaitMs; waitedMs += lookEveryMs) {
    const forgottenBeforeMs = deps.now() - limits.idempotencyKeptMs;
    const found = await findRecord(deps.db, ctx.tenantId, { id: names.id, forgottenBeforeMs });
    if (found && found.fingerprint !== names.fingerprint) throw mismatch();
    const made = found?.body ? replay<T>(found) : await attempt(deps, ctx, { names, found, work });
    if (made) return made;
    await pause(lookEveryMs);
  }
  throw new AppError(
    "idempotency_conflict",
    "A request with this key is still under way. Send it again soon.",
  );
}

type Attempt<T> = {
  names: { id: string; fingerprint: string };
  found: IdempotencyRow | undefined;
  work: Work<T>;
};

/** `null` = another request is at work. */
async function attempt<T>(deps: Deps, ctx: Ctx, { names, found, work }: Attempt<T>): Promise<Made<T> | null> {
  const nowMs = deps.now();
  if (found && found.leaseUntilMs > nowMs) return null;
  if (found) {
    const left = await work.recover(found.resourceId);
    if (left) return (await settle(deps, ctx, found, left)) ? { ...left, isReplayed: true } : null;
  }
  const claim: Claim = {
    ...names,
    // Not the request id, which callers see.
    owner: crypto.randomUUID(),
    takesOver: found?.owner ?? null,
    nowMs,
    leaseUntilMs: nowMs + work.deadlineMs + limits.idempotencyGraceMs,
    forgottenBeforeMs: nowMs - limits.idempotencyKeptMs,
  };
  try {
    const made = await work.make(claim);
    return (await settle(deps, ctx, claim, made)) ? { ...made, isReplayed: false } : null;
  } catch (error) {
    if (error instanceof ClaimLost) return null;
    // Should this fail too, the key is free again when the lease is over.
    await releaseRecord(deps.db, ctx.tenantId, claim).catch(() => ctx.note("keyHeld", true));
    throw error;
  }
}

/** Whether it was this owner that answered. */
async function settle(
  deps: Deps,
  ctx: Ctx,
  owner: { id: string; owner: string },
  made: { status: number; result: unknown },
): Promise<boolean> {
  const body = JSON.stringify(made.result);
  try {
    return await settleRecord(deps.db, ctx.tenantId, { ...owner, status: made.status, body });
  } catch {
    // It is made, whatever becomes of the record: a repetition finds it by the id in there.
    ctx.note("answerKept", false);
    return true;
  }
}

function replay<T>({ status, body }: IdempotencyRow): Made<T> {
  // Written by `settle` for the same row of the contract: the path is part of the record's id.
  return { status: status ?? 200, result: JSON.parse(body ?? "null") as T, isReplayed: true };
}

export function mismatch(): AppError {
  const sentence = "This Idempotency-Key was used for a request with another body. Send a new key.";
  return new AppError("idempotency_mismatch", sentence);
}
