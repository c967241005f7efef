import type { CreateSandbox } from "#contract/sandbox";
import type { Clock, Ctx } from "../context.ts";
import type { Config } from "../env.ts";
import { AppError } from "../errors.ts";
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
