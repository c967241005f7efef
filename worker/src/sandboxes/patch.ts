import type { SandboxId } from "#contract/ids";
import { limits } from "#contract/limits";
import type { PatchSandbox, Sandbox } from "#contract/sandbox";
import type { Clock, Ctx } from "../context.ts";
import type { Db } from "../db/client.ts";
import { AppError, sandboxNotFound } from "../errors.ts";
import type { Directory } from "../hosts/directory.ts";
import type { SandboxProvider } from "../providers/provider.ts";
import { onHost, sandboxEnded } from "./on-host.ts";
import { changeSandbox, findSandbox } from "./store.ts";
import { toSandbox } from "./view.ts";

type Deps = { db: Db; directory: Directory; provider: SandboxProvider; now: Clock };

/**
 * Changes the intent first and tells the host after; a host that is away learns of it with its next heartbeat.
 * @throws AppError `sandbox_not_found`, `sandbox_ended`, `host_unreachable`, `invalid_request`
 */
export async function patchSandbox(
  deps: Deps,
  ctx: Ctx,
  id: SandboxId,
  patch: PatchSandbox,
): Promise<Sandbox> {
  const { lifetimeSeconds, metadata } = patch;
  const change = {
    ...(lifetimeSeconds !== undefined && { lifetimeSeconds }),
    ...(metadata !== undefined && { metadata }),
  };
  const row = await changeSandbox(deps.db, ctx.tenantId, id, change, deps.now());
  if (!row) throw await refusal(deps, ctx, id);
  if (lifetimeSeconds !== undefined) {
    const call = { requestId: ctx.requestId, deadlineMs: limits.hostCallDeadlineMs };
    const { generation, expiresAtMs } = row;
    await onHost(deps, ctx, id, (place) => deps.provider.patch(place, generation, { expiresAtMs }, call));
  }
  return toSandbox(row);
}

async function refusal(deps: Deps, ctx: Ctx, id: SandboxId): Promise<AppError> {
  const row = await findSandbox(deps.db, ctx.tenantId, id);
  if (!row) return sandboxNotFound();
  if (row.state === "ended" || row.state === "ending") return sandboxEnded(row.endReason);
  if (row.expiresAtMs <= deps.now()) return sandboxEnded("lifetime");
  return new AppError(
    "invalid_request",
    "The sandbox is older than this lifetime; delete it to end it now.",
    {
      issues: [{ path: "lifetimeSeconds", message: "must end in the future, counted from the creation" }],
    },
  );
}
