import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runCommand } from "../start/command.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** Says nothing, asks nobody, and looks for no newer version of itself. */
const quiet = {
  CI: "1",
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
  WRANGLER_HIDE_BANNER: "true",
  WRANGLER_SEND_METRICS: "false",
};

export const wranglerConfig = join(root, "wrangler.toml");

/** The worker as `wrangler deploy` would upload it, in a folder of its own. */
export type Bundle = { scriptPath: string; report: string; dispose: () => Promise<void> };

/** @throws StopError with what wrangler complained of */
export async function bundleWorker(environmentName = ""): Promise<Bundle> {
  const folder = await mkdtemp(join(tmpdir(), "sandgate-bundle-"));
  const dispose = () => rm(folder, { recursive: true, force: true });
  try {
    const wrangler = join(root, "node_modules", ".bin", "wrangler");
    const report = await runCommand(
      [
        wrangler,
        "deploy",
        "--dry-run",
        "--config",
        wranglerConfig,
        `--env=${environmentName}`,
        "--outdir",
        folder,
      ],
      { env: quiet },
    );
    return { scriptPath: join(folder, "index.js"), report, dispose };
  } catch (cause) {
    await dispose();
    throw cause;
  }
}
