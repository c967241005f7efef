import type { SandboxId } from "#contract/ids";
import { limits } from "#contract/limits";
import type { SandboxMetrics } from "#contract/metrics";
import type { Ctx } from "../context.ts";
import type { Db } from "../db/client.ts";
import type { Directory } from "../hosts/directory.ts";
import type { SandboxProvider } from "../providers/provider.ts";
import { onHost } from "./on-host.ts";

type Deps = { db: Db; directory: Directory; provider: SandboxProvider };

/**
 * What a sandbox uses, as its host has measured it. No database on the way.
 * @throws AppError with the codes of the `getSandboxMetrics` row
 */
export function getSandboxMetrics(deps: Deps, ctx: Ctx, id: SandboxId): Promise<SandboxMetrics> {
  const call = { requestId: ctx.requestId, deadlineMs: limits.hostCallDeadlineMs };
  return onHost(deps, ctx, id, (place) => deps.provider.metrics(place, call));
}
