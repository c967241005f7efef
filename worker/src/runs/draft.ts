import { newReservationId, newRunId, type RandomBytes } from "#contract/ids";
import { limits } from "#contract/limits";
import type { CreateRun } from "#contract/run";
import type { Ctx } from "../context.ts";
import { AppError } from "../errors.ts";
import type { Directory } from "../hosts/directory.ts";
import type { Admission } from "../quota/admit-store.ts";
import type { Size } from "../quota/ask.ts";
import { checkCeilings } from "../quota/ceilings.ts";
import { type DraftDeps as SandboxDraftDeps, sizeOf, templateFor } from "../sandboxes/draft.ts";
import type { NewRun } from "./store.ts";

export type DraftDeps = SandboxDraftDeps & { directory: Directory; randomBytes: RandomBytes };

/** All that a run needs beyond its own time, at most. */
const aroundMs =
  limits.createDeadlineMs +
  limits.runFilesDeadlineMs +
  limits.execGraceMs +
  limits.hostCallDeadlineMs +
  limits.runGraceMs;

/** Of the sandbox of a run: until nobody can be at work on it any more. */
export const lifetimeOf = ({ createdAtMs, deadlineAtMs }: Pick<NewRun, "createdAtMs" | "deadlineAtMs">) =>
  Math.ceil((deadlineAtMs - createdAtMs) / 1000);

type RunDraft = { run: NewRun; size: Size; diskMiB: number; admission: Admission };

/**
 * What is asked for, with all that was left open filled in, and what its sandbox will need. How long a sandbox of a plan
 * may live does not shorten runs, which have a bound of their own.
 * @throws AppError `template_not_found`, `forbidden`, `limit_exceeded`, `no_capacity`
 */
export async function draftOf(deps: DraftDeps, ctx: Ctx, input: CreateRun): Promise<RunDraft> {
  const template = await templateFor(deps.catalog, ctx, input.template);
  const size = sizeOf(deps, ctx, input, template);
  checkCeilings(ctx.limits, size);
  if ((await deps.directory.placeable()).length === 0) {
    throw new AppError("no_capacity", "There is no host at the moment. Try again soon.");
  }
  const createdAtMs = deps.now();
  const timeoutMs = input.timeoutMs ?? limits.runTimeoutMaxMs;
  const { cpu, memoryMiB, diskMiB } = size;
  const run: NewRun = {
    id: newRunId(deps.randomBytes),
    template: template.name,
    cpu,
    memoryMiB,
    timeoutMs,
    metadata: input.metadata ?? {},
    createdAtMs,
    deadlineAtMs: createdAtMs + aroundMs + timeoutMs,
  };
  return { run, size, diskMiB, admission: admissionOf(deps, ctx, { run, size, input }) };
}

type Admitting = { run: NewRun; size: Size; input: CreateRun };

function admissionOf({ randomBytes }: DraftDeps, ctx: Ctx, { run, size, input }: Admitting): Admission {
  const { id, template, metadata, createdAtMs, deadlineAtMs } = run;
  return {
    keyId: ctx.keyId,
    createdAtMs,
    count: 1,
    size,
    lifetimeSeconds: lifetimeOf(run),
    capMicros: input.budget?.capMicros ?? null,
    isRun: true,
    slots: [{ id: newReservationId(randomBytes), sandboxId: id, expiresAtMs: deadlineAtMs }],
    generation: 1,
    template,
    metadata,
    isUnmetered: ctx.isUnmetered,
  };
}
