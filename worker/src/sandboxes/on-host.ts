import { hostCodeOf, type SandboxId } from "#contract/ids";
import type { EndReason } from "#contract/sandbox";
import type { Ctx } from "../context.ts";
import type { Db } from "../db/client.ts";
import { AppError, sandboxNotFound } from "../errors.ts";
import type { Directory } from "../hosts/directory.ts";
import type { Place } from "../providers/provider.ts";
import { findSandbox } from "./store.ts";

type Deps = { db: Db; directory: Directory };

/**
 * Does work on the host that a sandbox's id names. No database on the way there: the host checks the tenant. Only
 * when it does not know the sandbox, or does not answer, the row tells why.
 * @throws AppError `sandbox_not_found`, `sandbox_ended`, `host_unreachable`
 */
export async function onHost<T>(
  deps: Deps,
  ctx: Ctx,
  id: SandboxId,
  work: (place: Place) => Promise<T>,
): Promise<T> {
  const place = await placeOf(deps, ctx, id);
  if (!place) throw await explain(deps, ctx, id, "host_unreachable");
  try {
    return await work(place);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    if (error.code === "sandbox_not_found") throw await explain(deps, ctx, id, error.code);
    if (error.code === "host_unreachable") throw await explain(deps, ctx, id, error.code, error);
    throw error;
  }
}

/** Where an id says that it lives; `null` when no host of ours has that code. */
export async function placeOf(deps: Pick<Deps, "directory">, ctx: Ctx, id: SandboxId): Promise<Place | null> {
  const code = hostCodeOf(id);
  const host = code === null ? undefined : await deps.directory.byCode(ctx, code);
  if (!host) return null;
  return { tenantId: ctx.tenantId, sandboxId: id, hostId: host.id, url: host.url };
}

async function explain(
  deps: Deps,
  ctx: Ctx,
  id: SandboxId,
  found: "sandbox_not_found" | "host_unreachable",
  cause?: AppError,
): Promise<AppError> {
  const row = await findSandbox(deps.db, ctx.tenantId, id);
  if (!row) return sandboxNotFound();
  if (row.state === "ended" || row.state === "ending") return sandboxEnded(row.endReason);
  if (found === "sandbox_not_found") return sandboxNotFound();
  return new AppError(
    "host_unreachable",
    "The sandbox's host does not answer at the moment. Try again soon.",
    {
      cause,
    },
  );
}

export function sandboxEnded(endReason: EndReason | null): AppError {
  return new AppError("sandbox_ended", "The sandbox has ended; create another one.", {
    ...(endReason && { facts: { endReason } }),
  });
}
