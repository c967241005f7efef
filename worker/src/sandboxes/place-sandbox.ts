import type { HostCreate } from "#contract/host";
import { newReservationId, newSandboxId, type RandomBytes, type SandboxId } from "#contract/ids";
import { limits } from "#contract/limits";
import type { CreateSandbox } from "#contract/sandbox";
import type { Clock, Ctx } from "../context.ts";
import type { Db } from "../db/client.ts";
import type { Rider } from "../db/rider.ts";
import { AppError } from "../errors.ts";
import type { Directory, Host } from "../hosts/directory.ts";
import { place } from "../placement/place.ts";
import type { SandboxProvider } from "../providers/provider.ts";
import { quotaExceeded } from "../quota/refuse.ts";
import type { Draft } from "./draft.ts";
import { endSandbox, insertReserved, markEnding, moveToHost, type SandboxRow, setDisk } from "./store.ts";

export type PlaceDeps = {
  db: Db;
  directory: Directory;
  provider: SandboxProvider;
  now: Clock;
  random: () => number;
  randomBytes: RandomBytes;
};
export type Placing = {
  draft: Draft;
  input: CreateSandbox;
  /** What is written together with the row, or forbids it. */
  rider?: Rider<SandboxId> | undefined;
  /** The row and its slot are there already, for this host. */
  reserved?: { row: SandboxRow; host: Host };
};

/**
 * Has a sandbox made by one host after the other until one takes it, and gives its slot back if none does. The row is
 * written before the host is asked, so a crash in between leaves something that reconciling can find.
 * @throws AppError `quota_exceeded`, `no_capacity`, `host_unreachable`, `invalid_request`, `sandbox_ended`
 */
export async function placeSandbox(deps: PlaceDeps, ctx: Ctx, placing: Placing): Promise<SandboxRow> {
  const { draft, input, rider, reserved } = placing;
  // One budget for all hosts together: reconciling counts on no create being under way after it.
  const giveUpAtMs = draft.createdAtMs + limits.createDeadlineMs;
  let row = reserved?.row;
  const attempt = async (host: Host): Promise<SandboxRow> => {
    const deadlineMs = giveUpAtMs - deps.now();
    if (row && deadlineMs <= 0)
      throw new AppError("no_capacity", "No host had room in time. Try again soon.");
    const current = await rowOn(deps, ctx, { draft, row, host, rider });
    row = current;
    const target = { tenantId: ctx.tenantId, sandboxId: current.id, hostId: host.id, url: host.url };
    const call = { requestId: ctx.requestId, deadlineMs: Math.max(1, deadlineMs) };
    const created = await deps.provider.create(target, hostCreateOf(current, input), call);
    ctx.note("source", created.source);
    return keepDisk(deps, ctx, current, created.diskMiB);
  };
  try {
    return await place(deps, draft, attempt, reserved?.host);
  } catch (error) {
    if (row) await giveUp(deps, ctx, row, error);
    throw error;
  }
}

/** A host that keeps workspaces in memory says what it could give. */
function keepDisk(deps: PlaceDeps, ctx: Ctx, row: SandboxRow, diskMiB: number): SandboxRow {
  if (diskMiB !== row.diskMiB) {
    const change = { fromMiB: row.diskMiB, toMiB: diskMiB };
    ctx.background("setDisk", setDisk(deps.db, ctx.tenantId, row.id, change));
  }
  return { ...row, diskMiB };
}

type OnHost = {
  draft: Draft;
  row: SandboxRow | undefined;
  host: Host;
  rider: Rider<SandboxId> | undefined;
};

function rowOn(deps: PlaceDeps, ctx: Ctx, { draft, row, host, rider }: OnHost): Promise<SandboxRow> {
  if (!row) return reserve(deps, ctx, { draft, host, rider });
  return row.hostId === host.id ? Promise.resolve(row) : move(deps, ctx, { row, host, rider });
}

async function reserve(
  deps: PlaceDeps,
  ctx: Ctx,
  { draft, host, rider }: Omit<OnHost, "row">,
): Promise<SandboxRow> {
  const row = { ...draft, id: newSandboxId(host.code, deps.randomBytes), hostId: host.id };
  const reservationId = newReservationId(deps.randomBytes);
  if (await insertReserved(deps.db, ctx.tenantId, row, { reservationId, rider })) return row;
  await rider?.explain();
  throw await quotaExceeded(deps.db, ctx.tenantId);
}

async function move(
  deps: PlaceDeps,
  ctx: Ctx,
  { row, host, rider }: { row: SandboxRow; host: Host; rider: Rider<SandboxId> | undefined },
): Promise<SandboxRow> {
  const to = { id: newSandboxId(host.code, deps.randomBytes), hostId: host.id };
  if (await moveToHost(deps.db, ctx.tenantId, row.id, { ...to, rider })) return { ...row, ...to };
  // Ended by its tenant in the meantime: not `no_capacity`, which would offer it to a third host.
  throw new AppError("sandbox_ended", "The sandbox was ended while it was being created.");
}

/** An unknown outcome keeps its slot: the reconciler gives it back once the host has said what became of it. */
async function giveUp(deps: PlaceDeps, ctx: Ctx, row: SandboxRow, error: unknown): Promise<void> {
  if (error instanceof AppError && error.isOutcomeUnknown) {
    await markEnding(deps.db, ctx.tenantId, row.id, "canceled");
    return;
  }
  const { id: sandboxId, generation } = row;
  const nowMs = deps.now();
  const end = { sandboxId, generation, reason: "canceled" as const, endedAtMs: nowMs };
  await endSandbox(deps.db, ctx.tenantId, end, nowMs);
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
    publicPorts: row.publicPorts,
    expiresAtMs: row.expiresAtMs,
  };
}
