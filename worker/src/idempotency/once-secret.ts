import type { TenantId } from "#contract/ids";
import { limits } from "#contract/limits";
import type { Clock } from "../context.ts";
import type { LazyKey } from "../crypto.ts";
import type { Db } from "../db/client.ts";
import { AppError } from "../errors.ts";
import { type Asked, namesOf } from "./fingerprint.ts";
import { mismatch } from "./once.ts";
import { findMade, type MadeRecord } from "./secret-store.ts";

type Deps = { db: Db; idempotencyKey: LazyKey; now: Clock };

/**
 * Names the record of a request that shows a secret once. It is written with what the request makes, in one batch, so
 * nothing has to be taken up after a crash; and the answer is not kept, because of what is in it.
 * @returns `null` = the request has no `Idempotency-Key`
 * @throws AppError as `refuseRepetition`
 */
export async function secretRecord(
  deps: Deps,
  tenantId: TenantId | "operator",
  asked: Omit<Asked, "tenantId" | "key"> & { key: string | null },
): Promise<MadeRecord | null> {
  const { key } = asked;
  if (key === null) return null;
  const nowMs = deps.now();
  const names = await namesOf(deps.idempotencyKey, { ...asked, key, tenantId });
  const record = { ...names, nowMs, forgottenBeforeMs: nowMs - limits.idempotencyKeptMs };
  await refuseRepetition(deps, record);
  return record;
}

/** @throws AppError `already_created` with the id of what was made, `idempotency_mismatch` */
export async function refuseRepetition(deps: { db: Db }, record: MadeRecord | null): Promise<void> {
  const found = record && (await findMade(deps.db, record));
  if (!found) return;
  if (found.fingerprint !== record.fingerprint) throw mismatch();
  throw new AppError(
    "already_created",
    "An earlier request with this Idempotency-Key made it; its secret is not shown again.",
    { facts: { id: found.resourceId } },
  );
}
