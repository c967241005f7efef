import { build } from "esbuild";
import { Miniflare } from "miniflare";
import type { Draw, Verdict } from "#worker/ratelimit/limiter";
import { root } from "./tree.ts";

/** What an isolate is asked, and what it tells: the answers, and how often it asked an object for them. */
export type Asked = { draws: Draw[]; atOnce: boolean };
export type Told = { verdicts: Verdict[]; hops: number };
export type Isolate = { url: URL; draw(asked: Asked): Promise<Told> };
export type LimiterObjects = { isolates: Isolate[]; stop: () => Promise<void> };

/**
 * The limiter as it is at the edge, in workerd: objects by tenant, and isolates that draw on them over HTTP.
 * @param keptIn folder in which the objects keep what they keep; without it nothing outlives `stop`
 */
export async function limiterObjects(isolates = 1, keptIn?: string): Promise<LimiterObjects> {
  const bundle = await build({
    absWorkingDir: root,
    entryPoints: ["test/support/limiter-worker.ts"],
    bundle: true,
    format: "esm",
    external: ["cloudflare:workers"],
    write: false,
  });
  const contents = bundle.outputFiles[0]?.text ?? "";
  const names = Array.from({ length: isolates }, (_, at) => `isolate-${at}`);
  const [owner = ""] = names;
  const miniflare = new Miniflare({
    ...(keptIn !== undefined && { durableObjectsPersist: keptIn }),
    cf: false,
    workers: names.map((name) => ({
      name,
      modules: [{ type: "ESModule", path: "index.js", contents }],
      compatibilityDate: "2026-04-01",
      durableObjects: { LIMITER: { className: "Limiter", scriptName: owner, useSQLite: true } },
      // The worker's own socket: behind Miniflare's a script of Miniflare's takes each request first.
      unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
    })),
  });
  await miniflare.ready;
  const urls = await Promise.all(names.map((name) => miniflare.unsafeGetDirectURL(name)));
  return { isolates: urls.map(isolateAt), stop: () => miniflare.dispose() };
}

function isolateAt(url: URL): Isolate {
  return {
    url,
    async draw(asked) {
      const response = await fetch(url, { method: "POST", body: JSON.stringify(asked) });
      if (!response.ok) throw new Error(await response.text());
      return (await response.json()) as Told;
    },
  };
}
