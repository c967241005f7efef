import type { Clock } from "../context.ts";
import type { Db } from "../db/client.ts";
import { AppError } from "../errors.ts";
import { listTemplates, type TemplateRow } from "./store.ts";

/** The templates as this isolate knows them. */
export type Catalog = { resolve: (name: string) => Promise<TemplateRow> };

const freshMs = 10_000;
/** Names are made up freely, so unknown ones together cost one read per this time. */
const missGrainMs = 1_000;

/** @throws AppError `template_not_found` from `resolve`, when neither a template nor an alias has this name. */
export function makeCatalog(deps: { db: Db; now: Clock }): Catalog {
  let known = new Map<string, TemplateRow>();
  let loadedAtMs = Number.NEGATIVE_INFINITY;

  async function load(): Promise<void> {
    const startedAtMs = deps.now();
    const found = await listTemplates(deps.db);
    const byName = new Map(found.templates.map((template) => [template.name, template]));
    for (const [alias, name] of found.aliases) {
      const template = byName.get(name);
      // A template's own name comes before an alias that somebody gave another one.
      if (template && !byName.has(alias)) byName.set(alias, template);
    }
    known = byName;
    loadedAtMs = startedAtMs;
  }

  return {
    async resolve(name) {
      const ageMs = deps.now() - loadedAtMs;
      if (ageMs > freshMs || (!known.has(name) && ageMs > missGrainMs)) await load();
      const template = known.get(name);
      if (template) return template;
      throw new AppError("template_not_found", `There is no template named ${JSON.stringify(name)}.`);
    },
  };
}
