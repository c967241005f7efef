import type { SandboxId } from "#contract/ids";
import { limits } from "#contract/limits";
import { worstCase } from "#contract/price";
import type { PatchSandbox, Sandbox } from "#contract/sandbox";
import { byCaller } from "../audit/by.ts";
import type { Clock, Ctx } from "../context.ts";
import type { Db } from "../db/client.ts";
import { AppError, sandboxNotFound } from "../errors.ts";
import type { Directory } from "../hosts/directory.ts";
import type { SandboxProvider } from "../providers/provider.ts";
import { checkCeilings } from "../quota/ceilings.ts";
import { readFacts } from "../quota/facts-store.ts";
import { leftOf } from "../quota/longest.ts";
import { refusalOf } from "../quota/refuse.ts";
import { findHold } from "../quota/resize-store.ts";
import { hasSlot } from "../quota/store.ts";
import { ofUsed } from "../quota/units.ts";
import { type Change, changeSandbox } from "./change-store.ts";
import { onHost, sandboxEnded } from "./on-host.ts";
import { findSandbox, type SandboxRow } from "./store.ts";
import { toSandbox } from "./view.ts";

type Deps = { db: Db; directory: Directory; provider: SandboxProvider; now: Clock };

/**
 * Changes the intent, with what is held for it, and tells the host after; a host that is away learns of a deadline with
 * its next heartbeat.
 * @throws AppError `sandbox_not_found`, `sandbox_ended`, `host_unreachable`, `invalid_request`, `limit_exceeded`,
 *   `quota_exceeded`, `budget_exceeded`
 */
export async function patchSandbox(
  deps: Deps,
  ctx: Ctx,
  id: SandboxId,
  patch: PatchSandbox,
): Promise<Sandbox> {
  const { lifetimeSeconds, metadata, budget } = patch;
  checkCeilings(ctx.limits, { lifetimeSeconds });
  const change: Change = {
    ...(lifetimeSeconds !== undefined && { lifetimeSeconds }),
    ...(budget && { capMicros: budget.capMicros }),
    ...(metadata !== undefined && { metadata }),
  };
  const row = await applied(deps, ctx, id, change);
  if (lifetimeSeconds !== undefined || budget) {
    const call = { requestId: ctx.requestId, deadlineMs: limits.hostCallDeadlineMs };
    const { generation, expiresAtMs } = row;
    const told = { expiresAtMs, ...(budget && { capMicros: budget.capMicros }) };
    await onHost(deps, ctx, id, (place) => deps.provider.patch(place, generation, told, call));
  }
  return toSandbox(row);
}

const attemptsMax = 2;

/** As with a create, a reason that is gone when it is looked for is no reason: it is tried again. */
async function applied(deps: Deps, ctx: Ctx, id: SandboxId, change: Change): Promise<SandboxRow> {
  for (let attempts = 1; attempts <= attemptsMax; attempts++) {
    const done = { by: byCaller(ctx), nowMs: deps.now() };
    const row = await changeSandbox(deps.db, ctx.tenantId, id, change, done);
    if (row) return row;
    const refusal = await refusalFor(deps, ctx, id, change);
    if (refusal) throw refusal;
  }
  throw new AppError("conflict", "What this tenant uses is changing at this moment. Ask again.");
}

async function refusalFor(deps: Deps, ctx: Ctx, id: SandboxId, change: Change): Promise<AppError | null> {
  const row = await findSandbox(deps.db, ctx.tenantId, id);
  if (!row) return sandboxNotFound();
  if (row.state === "ended" || row.state === "ending") return sandboxEnded(row.endReason);
  const nowMs = deps.now();
  if (row.expiresAtMs <= nowMs || !(await hasSlot(deps.db, ctx.tenantId, id)))
    return sandboxEnded("lifetime");
  const { lifetimeSeconds = row.lifetimeSeconds, capMicros } = change;
  if (row.createdAtMs + lifetimeSeconds * 1000 <= nowMs) return tooOld();
  if (capMicros !== undefined && (row.capMicros ?? Number.POSITIVE_INFINITY) > capMicros) return noLowerCap();
  return refusalOfMore(deps, ctx, { row, lifetimeSeconds, capMicros: capMicros ?? row.capMicros, nowMs });
}

type More = { row: SandboxRow; lifetimeSeconds: number; capMicros: number | null; nowMs: number };

async function refusalOfMore(deps: Deps, ctx: Ctx, more: More): Promise<AppError | null> {
  const { row, lifetimeSeconds, capMicros, nowMs } = more;
  const hold = await findHold(deps.db, ctx.tenantId, row.id);
  if (!hold) return null;
  const when = { keyId: hold.keyId, atMs: nowMs, excluding: row.id };
  const facts = await readFacts(deps.db, ctx.tenantId, when);
  if (!facts) return null;
  const used = ofUsed(hold);
  const quantities = leftOf(worstCase(row, lifetimeSeconds), used);
  return refusalOf(facts, { count: 1, quantities, capMicros, atMs: nowMs, isRun: false, used }, row);
}

function tooOld(): AppError {
  const message = "must end in the future, counted from the creation";
  const sentence = "The sandbox is older than this lifetime; delete it to end it now.";
  return new AppError("invalid_request", sentence, { issues: [{ path: "lifetimeSeconds", message }] });
}

function noLowerCap(): AppError {
  const message = "must not be lower than the budget that the sandbox was created with";
  const sentence = "The budget of a sandbox that has one can be raised, and nothing else.";
  return new AppError("invalid_request", sentence, { issues: [{ path: "budget.capMicros", message }] });
}
