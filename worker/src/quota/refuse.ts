import type { TenantId } from "#contract/ids";
import type { Db } from "../db/client.ts";
import { AppError } from "../errors.ts";
import { slotsOf } from "./store.ts";

/** The refusal of a create that found no free slot, with the numbers that explain it. */
export async function quotaExceeded(db: Db, tenantId: TenantId, asked?: number): Promise<AppError> {
  const { limit, used } = await slotsOf(db, tenantId);
  return new AppError(
    "quota_exceeded",
    `This tenant may have ${limit} sandboxes at once. End one, or wait until one ends.`,
    { facts: { limit, used, ...(asked !== undefined && { asked }) } },
  );
}
