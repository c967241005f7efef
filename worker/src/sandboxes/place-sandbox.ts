import type { HostCreate } from "#contract/host";
import { newSandboxId, type RandomBytes, type RunId, type SandboxId } from "#contract/ids";
import { limits } from "#contract/limits";
import type { CreateSandbox } from "#contract/sandbox";
import { byCaller } from "../audit/by.ts";
import type { Clock, Ctx } from "../context.ts";
import type { Db } from "../db/client.ts";
import type { Rider } from "../db/rider.ts";
import { AppError } from "../errors.ts";
import type { Directory, Host } from "../hosts/directory.ts";
import { place } from "../placement/place.ts";
import type { SandboxProvider } from "../providers/provider.ts";
import { admit } from "../quota/admit.ts";
import { needFor } from "../quota/ask.ts";
import { findPrices } from "../quota/sheet-store.ts";
import type { Draft } from "./draft.ts";
import { askOf, insertReserved } from "./insert-store.ts";
import { endSandbox, markEnding, moveToHost, type SandboxRow, setDisk } from "./store.ts";

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
  /** The run that holds a slot and money for it. */
  from?: RunId | undefined;
};

/**
 * Has a sandbox made by one host after the other until one takes it, and gives its slot back if none does. The row is
 * written before the host is asked, so a crash in between leaves something that reconciling can find.
 * @throws AppError `quota_exceeded`, `budget_exceeded`, `no_capacity`, `host_unreachable`, `invalid_request`,
 *   `sandbox_ended`
 */
export async function placeSandbox(deps: PlaceDeps, ctx: Ctx, placing: Placing): Promise<SandboxRow> {
  const { draft, input, reserved } = placing;
  // One budget for all hosts together: reconciling counts on no create being under way after it.
  const giveUpAtMs = draft.createdAtMs + limits.createDeadlineMs;
  let row = reserved?.row;
  const attempt = async (host: Host): Promise<SandboxRow> => {
    if (row) timeLeftMs(deps, giveUpAtMs);
    const current = await rowOn(deps, ctx, { ...placing, row, host });
    row = current;
    const budget = await budgetOf(deps, current);
    // Only now: a database that is slow takes of the time that the host gets.
    const deadlineMs = timeLeftMs(deps, giveUpAtMs);
    const target = { tenantId: ctx.tenantId, sandboxId: current.id, hostId: host.id, url: host.url };
    const call = { requestId: ctx.requestId, deadlineMs };
    const created = await deps.provider.create(target, { ...hostCreateOf(current, input), ...budget }, call);
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

/** @throws AppError `no_capacity` when there is none */
function timeLeftMs({ now }: PlaceDeps, giveUpAtMs: number): number {
  const leftMs = giveUpAtMs - now();
  if (leftMs <= 0) throw new AppError("no_capacity", "No host had room in time. Try again soon.");
  return leftMs;
}

/** A host that keeps workspaces in memory says what it could give. */
function keepDisk(deps: PlaceDeps, ctx: Ctx, row: SandboxRow, diskMiB: number): SandboxRow {
  if (diskMiB !== row.diskMiB) {
    const change = { fromMiB: row.diskMiB, toMiB: diskMiB };
    ctx.background("setDisk", setDisk(deps.db, ctx.tenantId, row.id, change));
  }
  return { ...row, diskMiB };
}

type OnHost = Pick<Placing, "draft" | "rider" | "from"> & { row: SandboxRow | undefined; host: Host };

function rowOn(deps: PlaceDeps, ctx: Ctx, on: OnHost): Promise<SandboxRow> {
  const { row, host, rider } = on;
  if (!row) return reserve(deps, ctx, on);
  return row.hostId === host.id ? Promise.resolve(row) : move(deps, ctx, { row, host, rider });
}

async function reserve(
  deps: PlaceDeps,
  ctx: Ctx,
  { draft, host, rider, from }: Omit<OnHost, "row">,
): Promise<SandboxRow> {
  const { keyId, tenantId } = ctx;
  const row = { ...draft, id: newSandboxId(host.code, deps.randomBytes), hostId: host.id };
  const taking = { keyId, by: byCaller(ctx), randomBytes: deps.randomBytes, rider, from };
  if (from) {
    if (await insertReserved(deps.db, tenantId, row, { ...taking, isUnmetered: true })) return row;
    await rider?.explain();
    const sentence =
      "What was held for this run is gone: its tenant was suspended, or it has waited too long.";
    throw new AppError("conflict", sentence);
  }
  const ask = askOf(draft, keyId, 1);
  await admit(deps, ctx, { need: needFor(ask), size: ask.size, explain: rider?.explain }, (isUnmetered) =>
    insertReserved(deps.db, tenantId, row, { ...taking, isUnmetered }),
  );
  return row;
}

/** A host is told what a cap is in, so that it can keep it by itself. @throws AppError `sandbox_ended` */
async function budgetOf({ db }: PlaceDeps, row: SandboxRow): Promise<Pick<HostCreate, "budget">> {
  if (row.capMicros === null) return {};
  const prices = await findPrices(db, row.tenantId, row.id);
  if (!prices) throw endedMeanwhile();
  return { budget: { capMicros: row.capMicros, prices } };
}

async function move(
  deps: PlaceDeps,
  ctx: Ctx,
  { row, host, rider }: { row: SandboxRow; host: Host; rider: Rider<SandboxId> | undefined },
): Promise<SandboxRow> {
  const to = { id: newSandboxId(host.code, deps.randomBytes), hostId: host.id };
  const moving = { ...to, by: byCaller(ctx), nowMs: deps.now(), rider };
  if (await moveToHost(deps.db, ctx.tenantId, row.id, moving)) return { ...row, ...to };
  // Ended by its tenant in the meantime: not `no_capacity`, which would offer it to a third host.
  throw endedMeanwhile();
}

const endedMeanwhile = () =>
  new AppError("sandbox_ended", "The sandbox was ended while it was being created.");

/** An unknown outcome keeps all that was taken: the reconciler gives it back once the host has said what became of it. */
async function giveUp(deps: PlaceDeps, ctx: Ctx, row: SandboxRow, error: unknown): Promise<void> {
  const by = byCaller(ctx);
  const nowMs = deps.now();
  if (error instanceof AppError && error.isOutcomeUnknown) {
    const ending = { reason: "canceled" as const, by, nowMs };
    await markEnding(deps.db, ctx.tenantId, row.id, ending);
    return;
  }
  const { id: sandboxId, generation } = row;
  const end = { sandboxId, generation, reason: "canceled" as const, endedAtMs: nowMs, isUnmade: true };
  await endSandbox(deps.db, ctx.tenantId, end, { by, nowMs });
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
