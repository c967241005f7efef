import type { CreateSandbox } from "#contract/sandbox";
import type { Clock, Ctx } from "../context.ts";
import type { Config } from "../env.ts";
import type { Catalog } from "../templates/catalog.ts";
import type { SandboxRow } from "./store.ts";

/** The row before it has an id and a host. */
export type Draft = Omit<SandboxRow, "id" | "hostId">;
export type DraftDeps = { catalog: Catalog; defaults: Config["defaults"]; now: Clock };

export const defaultTemplate = "base";

/** What is asked for, with all that was left open filled in. @throws AppError `template_not_found` */
export async function draftOf(deps: DraftDeps, ctx: Ctx, input: CreateSandbox): Promise<Draft> {
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
    publicPorts: input.publicPorts ?? false,
    metadata: input.metadata ?? {},
    createdAtMs,
    startedAtMs: null,
    expiresAtMs: createdAtMs + lifetimeSeconds * 1000,
    endedAtMs: null,
    endReason: null,
  };
}
