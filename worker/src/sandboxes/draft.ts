import type { CreateSandbox } from "#contract/sandbox";
import type { Clock, Ctx } from "../context.ts";
import type { Config } from "../env.ts";
import { AppError } from "../errors.ts";
import type { Size } from "../quota/ask.ts";
import type { Catalog } from "../templates/catalog.ts";
import type { TemplateRow } from "../templates/store.ts";
import type { SandboxRow } from "./store.ts";

/** The row before it has an id and a host. */
export type Draft = Omit<SandboxRow, "id" | "hostId">;
export type DraftDeps = { catalog: Catalog; defaults: Config["defaults"]; now: Clock };

const defaultTemplate = "base";

/**
 * The template of a sandbox or run to be made, `base` when none is named.
 * @throws AppError `template_not_found`; `forbidden` where the caller's key is restricted to others
 */
export async function templateFor(
  catalog: Catalog,
  ctx: Ctx,
  name: string = defaultTemplate,
): Promise<TemplateRow> {
  const template = await catalog.resolve(name);
  const { templates } = ctx.restrictions;
  if (templates === null || templates.includes(template.name)) return template;
  throw new AppError("forbidden", `This API key may not use the template ${template.name}.`, {
    facts: { template: template.name, allowed: templates.join(" ") },
  });
}

/** What is asked for, with all that was left open filled in. @throws AppError `template_not_found`, `forbidden` */
export async function draftOf(deps: DraftDeps, ctx: Ctx, input: CreateSandbox): Promise<Draft> {
  const template = await templateFor(deps.catalog, ctx, input.template);
  const createdAtMs = deps.now();
  const { defaults } = deps;
  const { sandboxLifetimeSeconds } = ctx.limits;
  const lifetimeSeconds = input.lifetimeSeconds ?? Math.min(defaults.lifetimeSeconds, sandboxLifetimeSeconds);
  return {
    tenantId: ctx.tenantId,
    generation: 1,
    template: template.name,
    state: "creating",
    ...sizeOf(deps, ctx, input, template),
    pids: input.pids ?? template.pids ?? defaults.pids,
    lifetimeSeconds,
    idleSeconds: input.idleSeconds ?? defaults.idleSeconds,
    capMicros: input.budget?.capMicros ?? null,
    publicPorts: input.publicPorts ?? false,
    metadata: input.metadata ?? {},
    createdAtMs,
    startedAtMs: null,
    expiresAtMs: createdAtMs + lifetimeSeconds * 1000,
    endedAtMs: null,
    endReason: null,
  };
}

type Sized = { [N in keyof Size]?: Size[N] | null | undefined };

/** What is asked for, else what the template needs, else our default as far as the tenant may have it. */
export function sizeOf(deps: Pick<DraftDeps, "defaults">, ctx: Ctx, input: Sized, template: Sized): Size {
  const { defaults } = deps;
  const { sandboxCpu, sandboxMemoryMiB, sandboxDiskMiB } = ctx.limits;
  return {
    cpu: input.cpu ?? template.cpu ?? Math.min(defaults.cpu, sandboxCpu),
    memoryMiB: input.memoryMiB ?? template.memoryMiB ?? Math.min(defaults.memoryMiB, sandboxMemoryMiB),
    diskMiB: input.diskMiB ?? template.diskMiB ?? Math.min(defaults.diskMiB, sandboxDiskMiB),
  };
}
