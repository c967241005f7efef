import type { HostCreate } from "#contract/host";
import { newReservationId, newSandboxId, type RandomBytes, type SandboxId } from "#contract/ids";
import { limits } from "#contract/limits";
import type { CreateSandbox, Sandbox } from "#contract/sandbox";
import type { Clock, Ctx } from "../context.ts";
import type { Db } from "../db/client.ts";
import type { Rider } from "../db/rider.ts";
import type { Config } from "../env.ts";
import { AppError } from "../errors.ts";
import type { Directory, Host } from "../hosts/directory.ts";
import { place } from "../placement/place.ts";
import type { SandboxProvider } from "../providers/provider.ts";
import { quotaExceeded } from "../quota/refuse.ts";
import type { Catalog } from "../templates/catalog.ts";
import {
  endSandbox,
  insertReserved,
  markEnding,
  markRunning,
  moveToHost,
  type SandboxRow,
  setDisk,
} from "./store.ts";
import { toSandbox } from "./view.ts";

type Deps = {
  db: Db;
  catalog: Catalog;
  directory: Directory;
  provider: SandboxProvider;
  defaults: Config["defaults"];
  now: Clock;
  random: () => number;
  randomBytes: RandomBytes;
};
/** The row before it has an id and a host. */
type Draft = Omit<SandboxRow, "id" | "hostId">;

export const defaultTemplate = "base";

/**
 * Reserves a slot, places the sandbox, and gives the slot back if placing fails. Costs one batched write.
 * @param rider what else is written in that batch, or forbids it
 * @throws AppError `template_not_found`, `quota_exceeded`, `no_capacity`, `host_unreachable`, `invalid_request`
 */
export async function createSandbox(
  deps: Deps,
  ctx: Ctx,
  input: CreateSandbox,
  rider?: Rider<SandboxId>,
): Promise<Sandbox> {
  const draft = await draftOf(deps, ctx, input);
  // One budget for all hosts together: reconciling counts on no create being under way after it.
  const giveUpAtMs = draft.createdAtMs + limits.createDeadlineMs;
  let row: SandboxRow | undefined;
  const attempt = async (host: Host): Promise<SandboxRow> => {
    const current = row
      ? await move(deps, ctx, { row, host, rider })
      : await reserve(deps, ctx, { draft, host, rider });
    row = current;
    const target = { tenantId: ctx.tenantId, sandboxId: current.id, hostId: host.id, url: host.url };
    const call = { requestId: ctx.requestId, deadlineMs: Math.max(1, giveUpAtMs - deps.now()) };
    const created = await deps.provider.create(target, hostCreateOf(current, input), call);
    ctx.note("source", created.source);
    return keepDisk(deps, ctx, current, created.diskMiB);
  };
  try {
    const placed = await place(deps, draft, attempt);
    ctx.background("markRunning", markRunning(deps.db, ctx.tenantId, placed.id, deps.now()));
    return toSandbox({ ...placed, state: "running" });
  } catch (error) {
    if (row) await giveUp(deps, ctx, row, error);
    throw error;
  }
}

async function draftOf(deps: Deps, ctx: Ctx, input: CreateSandbox): Promise<Draft> {
  const template = await deps.catalog.resolve(input.template ?? defaultTemplate);
  const createdAtMs = deps.now();
  const lifetimeSeconds = input.lifetimeSeconds ?? deps.defaults.lifetimeSeconds;
  return {
    tenantId: ctx.tenantId,
    generation: 1,
    template: template.name,
    state: "creating",
    cpu: input.cpu ?? template.cpu ?? deps.defaults.cpu,
    memoryMiB: input.memoryMiB ?? template.memoryMiB ?? deps.defaults.memoryMiB,
    pids: input.pids ?? template.pids ?? deps.defaults.pids,
    diskMiB: input.diskMiB ?? template.diskMiB ?? deps.defaults.diskMiB,
    lifetimeSeconds,
    idleSeconds: input.idleSeconds ?? deps.defaults.idleSeconds,
    metadata: input.metadata ?? {},
    createdAtMs,
    startedAtMs: null,
    expiresAtMs: createdAtMs + lifetimeSeconds * 1000,
    endedAtMs: null,
    endReason: null,
  };
}

/** A host that keeps workspaces in memory says what it could give. */
function keepDisk(deps: Deps, ctx: Ctx, row: SandboxRow, diskMiB: number): SandboxRow {
  if (diskMiB !== row.diskMiB) {
    const change = { fromMiB: row.diskMiB, toMiB: diskMiB };
    ctx.background("setDisk", setDisk(deps.db, ctx.tenantId, row.id, change));
  }
  return { ...row, diskMiB };
}

/** The row is written before the host is asked, so a crash in between leaves something that reconciling can find. */
async function reserve(
  deps: Deps,
  ctx: Ctx,
  { draft, host, rider }: { draft: Draft; host: Host; rider: Rider<SandboxId> | undefined },
): Promise<SandboxRow> {
  const row = { ...draft, id: newSandboxId(host.code, deps.randomBytes), hostId: host.id };
  const reservationId = newReservationId(deps.randomBytes);
  if (await insertReserved(deps.db, ctx.tenantId, row, { reservationId, rider })) return row;
  await rider?.explain();
  throw await quotaExceeded(deps.db, ctx.tenantId);
}

async function move(
  deps: Deps,
  ctx: Ctx,
  { row, host, rider }: { row: SandboxRow; host: Host; rider: Rider<SandboxId> | undefined },
): Promise<SandboxRow> {
  const to = { id: newSandboxId(host.code, deps.randomBytes), hostId: host.id };
  if (await moveToHost(deps.db, ctx.tenantId, row.id, { ...to, rider })) return { ...row, ...to };
  // Ended by its tenant in the meantime: not `no_capacity`, which would offer it to a third host.
  throw new AppError("sandbox_ended", "The sandbox was ended while it was being created.");
}

/** An unknown outcome keeps its slot: the reconciler gives it back once the host has said what became of it. */
async function giveUp(deps: Deps, ctx: Ctx, row: SandboxRow, error: unknown): Promise<void> {
  if (error instanceof AppError && error.isOutcomeUnknown) {
    await markEnding(deps.db, ctx.tenantId, row.id, "canceled");
    return;
  }
  const { id: sandboxId, generation } = row;
  const nowMs = deps.now();
  await endSandbox(
    deps.db,
    ctx.tenantId,
    { sandboxId, generation, reason: "canceled", endedAtMs: nowMs },
    nowMs,
  );
}

function hostCreateOf(row: SandboxRow, input: CreateSandbox): HostCreate {
  return {
    sandboxId: row.id,
    generation: row.generation,
    tenantId: row.tenantId,
    template: row.template,
    cpu: row.cpu,
    memoryMiB: row.memoryMiB,
    pids: row.pids,
    diskMiB: row.diskMiB,
    env: input.env ?? {},
    idleSeconds: row.idleSeconds,
    expiresAtMs: row.expiresAtMs,
  };
}
