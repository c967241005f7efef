import type { SandboxId } from "#contract/ids";
import type { Sandbox } from "#contract/sandbox";
import type { Ctx } from "../context.ts";
import type { Db } from "../db/client.ts";
import { sandboxNotFound } from "../errors.ts";
import { sandboxEnded } from "./on-host.ts";
import { findSandbox } from "./store.ts";
import { toSandbox } from "./view.ts";

/** @throws AppError `sandbox_not_found`, for another tenant's id as for an unknown one; `sandbox_ended` for its token */
export async function getSandbox(deps: { db: Db }, ctx: Ctx, id: SandboxId): Promise<Sandbox> {
  const row = await findSandbox(deps.db, ctx.tenantId, id);
  if (!row) throw sandboxNotFound();
  // Its token has ended with it.
  if (ctx.sandboxId !== null && row.endedAtMs !== null) throw sandboxEnded(row.endReason);
  return toSandbox(row);
}
