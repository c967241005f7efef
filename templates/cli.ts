import { join } from "node:path";
import { createEngine, engineSocketPath } from "#host/engine/request";
import { createRunner } from "../scripts/start/runner.ts";
import { ensureTemplateImage } from "./build.ts";
import { renderDockerfile, renderE2bTemplate } from "./dockerfile.ts";
import { findManifest, loadManifests } from "./manifest.ts";
import { stopSentence } from "./stop.ts";

const usage = "Usage: node --import tsx templates/build.ts <template> [--dockerfile | --e2b]";

/** Builds a template and prints its tag, or prints a rendered file; returns the exit code. */
export async function runTemplateCli(args: string[]): Promise<number> {
  const flags = args.filter((arg) => arg.startsWith("--"));
  const [name, ...rest] = args.filter((arg) => !arg.startsWith("--"));
  const isKnown = flags.length <= 1 && flags.every((flag) => flag === "--dockerfile" || flag === "--e2b");
  if (name === undefined || rest.length > 0 || !isKnown) {
    process.stderr.write(`${usage}\n`);
    return 2;
  }
  try {
    const manifest = findManifest(await loadManifests(), name);
    if (flags[0] === "--dockerfile") process.stdout.write(renderDockerfile(manifest));
    else if (flags[0] === "--e2b") process.stdout.write(renderE2bTemplate(manifest));
    else process.stdout.write(`${await build(manifest)}\n`);
    return 0;
  } catch (error) {
    const sentence = stopSentence(error);
    if (sentence === undefined) throw error;
    process.stderr.write(`${sentence}\n`);
    return 1;
  }
}

async function build(manifest: Parameters<typeof ensureTemplateImage>[0]["manifest"]): Promise<string> {
  const report = (line: string) => process.stderr.write(`${line}\n`);
  const engine = createEngine(engineSocketPath(process.env.DOCKER_HOST));
  const workDir = join(process.env.SANDGATE_DATA_DIR || ".sandgate", "templates");
  try {
    const { image } = await ensureTemplateImage({
      engine,
      manifest,
      workDir,
      report,
      runner: createRunner({ report }),
    });
    return image;
  } finally {
    engine.close();
  }
}
