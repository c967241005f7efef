import type { RunId } from "#contract/ids";
import type { Run } from "#contract/run";
import type { Ctx } from "../context.ts";
import type { Db } from "../db/client.ts";
import { runNotFound } from "../errors.ts";
import { findRun } from "./store.ts";
import { toRun } from "./view.ts";

/** @throws AppError `run_not_found`, for another tenant's id as for an unknown one */
export async function getRun(deps: { db: Db }, ctx: Ctx, id: RunId): Promise<Run> {
  const row = await findRun(deps.db, ctx.tenantId, id);
  if (!row) throw runNotFound();
  return toRun(row);
}
