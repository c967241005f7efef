import { readFile } from "node:fs/promises";
import { Miniflare } from "miniflare";
import { unstable_getMiniflareWorkerOptions } from "wrangler";
import { settings } from "#contract/settings";
import { readNodeSettings } from "#worker/node-settings";
import { bundleWorker, wranglerConfig } from "./bundle.ts";
import { sayReady, stopWithParent } from "./stop-with-parent.ts";

/** The control plane in workerd: the bundle, bindings and dates of `wrangler.toml`, and this machine's settings. */
async function main(): Promise<void> {
  const { values } = await readNodeSettings(process.env);
  const bundle = await bundleWorker();
  const contents = await readFile(bundle.scriptPath, "utf8");
  await bundle.dispose();
  const { workerOptions } = unstable_getMiniflareWorkerOptions(wranglerConfig);
  const miniflare = new Miniflare({
    ...workerOptions,
    modules: [{ type: "ESModule", path: "index.js", contents }],
    bindings: textBindings(values),
    // The worker's own socket: behind Miniflare's a script of Miniflare's takes each request first.
    unsafeDirectSockets: [{ host: values.SANDGATE_BIND, port: values.SANDGATE_PORT }],
    cf: false,
    // What the worker logs is one JSON object a line already.
    structuredWorkerdLogs: true,
    handleStructuredLogs: ({ message }: { message: string }) => void process.stdout.write(`${message}\n`),
  });
  const url = await miniflare.unsafeGetDirectURL();
  const sweeps = setInterval(() => void sweep(miniflare), values.SANDGATE_SWEEP_SECONDS * 1000);
  stopWithParent(async () => {
    clearInterval(sweeps);
    await miniflare.dispose();
  });
  sayReady(url.origin);
}

/** The cron trigger's work, at the grain of this machine's settings. */
async function sweep(miniflare: Miniflare): Promise<void> {
  const worker = await miniflare.getWorker();
  await worker.scheduled({ cron: "* * * * *" });
}

/** Settings as the platform hands them over: as texts. */
function textBindings(values: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(Object.keys(settings).map((name) => [name, String(values[name])]));
}

main().catch((error: unknown) => {
  process.stderr.write(`The worker could not start: ${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
});
