import { spawn } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Engine } from "#host/engine/request";
import { bootstrap } from "./bootstrap.ts";
import { imageTag, templateDigest } from "./digest.ts";
import { renderDockerfile } from "./dockerfile.ts";
import { fetchPrograms } from "./fetch-programs.ts";
import { buildImage, canPull, imageLabels, importImage, pruneLayers } from "./images.ts";
import { withLock } from "./lock.ts";
import type { LoadedManifest } from "./manifest.ts";
import type { Report, Runner } from "./runner.ts";

/** The label that holds the full digest of the template an image was built from. */
export const templateLabel = "sandgate.template";
const nameLabel = "sandgate.template.name";
const lockWaitMs = 900_000;

type EnsureInput = {
  engine: Engine;
  manifest: LoadedManifest;
  /** Folder for locks and for what a build needs while it runs. */
  workDir: string;
  report: Report;
  runner: Runner;
  /** Breaks off the waiting for another build and the engine's own; the runner has one of its own. */
  signal?: AbortSignal | undefined;
};
type Target = { image: string; digest: string };

export type TemplateImage = Target & { built: boolean; how: "cached" | "dockerfile" | "bootstrap" };

/**
 * Makes sure that the engine has the image of a template: the one with its digest, or else a new one, from the
 * Dockerfile where a registry answers and from the distribution's packages where none does.
 * Images of older digests stay: another checkout on this machine may use them.
 * @throws StopError or EngineError with one sentence, or the signal's reason; a failed build leaves nothing behind
 */
export async function ensureTemplateImage(input: EnsureInput): Promise<TemplateImage> {
  const digest = await templateDigest(input.manifest);
  const target = { image: imageTag(input.manifest.name, digest), digest };
  const cached: TemplateImage = { ...target, built: false, how: "cached" };
  if (await isBuilt(input.engine, target)) return cached;
  const lock = {
    path: join(input.workDir, `${input.manifest.name}-${digest.slice(0, 12)}.lock`),
    waitMs: lockWaitMs,
    signal: input.signal,
    onWait: () => input.report(`Another process builds ${target.image}; waiting for it.`),
  };
  return withLock(lock, async () => {
    if (await isBuilt(input.engine, target)) return cached;
    return { ...target, built: true, how: await buildInScratch(input, target) };
  });
}

async function isBuilt(engine: Engine, { image, digest }: Target): Promise<boolean> {
  return (await imageLabels(engine, image))?.[templateLabel] === digest;
}

async function buildInScratch(input: EnsureInput, target: Target): Promise<"dockerfile" | "bootstrap"> {
  const prefix = `build-${input.manifest.name}-${target.digest.slice(0, 12)}-`;
  await mkdir(input.workDir, { recursive: true });
  // We hold the lock, so a folder with our prefix belongs to a build that was killed.
  for (const entry of await readdir(input.workDir)) {
    if (entry.startsWith(prefix)) await removeTree(input.runner, join(input.workDir, entry));
  }
  const scratchDir = await mkdtemp(join(input.workDir, prefix));
  await chmod(scratchDir, 0o755); // apt downloads as a user of its own
  try {
    return await build(input, target, scratchDir);
  } finally {
    await removeTree(input.runner, scratchDir);
  }
}

async function build(
  input: EnsureInput,
  target: Target,
  scratchDir: string,
): Promise<"dockerfile" | "bootstrap"> {
  const { engine, manifest, report, runner } = input;
  const labels = { [templateLabel]: target.digest, [nameLabel]: manifest.name };
  const programs = await fetchPrograms({ manifest, scratchDir, runner, report });
  if (await canPull(engine, manifest.from)) {
    report(`Building ${target.image} from ${manifest.from}.`);
    try {
      await buildFromDockerfile(input, { target, labels, scratchDir, programs });
      return "dockerfile";
    } catch (error) {
      await pruneLayers(engine, `${templateLabel}=${target.digest}`);
      input.signal?.throwIfAborted();
      // A registry mirror may answer where the package archive that the image points to does not.
      report(`That did not work: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  report(`Building ${target.image} from this machine's own package archive.`);
  const tarPath = await bootstrap({ manifest, programs, scratchDir, runner, report });
  report("Importing the image.");
  await importImage(engine, target.image, { tarPath, labels, signal: input.signal });
  return "bootstrap";
}

type DockerfileBuild = {
  target: Target;
  labels: Record<string, string>;
  scratchDir: string;
  programs: readonly string[];
};

async function buildFromDockerfile(
  input: EnsureInput,
  { target, labels, scratchDir, programs }: DockerfileBuild,
) {
  const { engine, manifest, report, signal } = input;
  await writeFile(join(scratchDir, "Dockerfile"), renderDockerfile(manifest, labels));
  const sources = manifest.files.map((file) => file.source);
  // Two folders in one context: the rendered file is not written into the sources.
  const made = ["Dockerfile", ...programs.map((path) => basename(path))];
  const args = ["-c", "-C", scratchDir, ...made, "-C", manifest.folder, "--", ...sources];
  const tar = spawn("tar", args, { stdio: ["ignore", "pipe", "ignore"] });
  await buildImage(engine, target.image, tar.stdout, { report, signal });
}

/** Removes what a bootstrap wrote as root; never crosses into something that is mounted there. */
async function removeTree(runner: Runner, path: string): Promise<void> {
  await runner.runAsRoot(["rm", "-rf", "--one-file-system", "--", path], { isCleanup: true });
}

if (import.meta.filename === process.argv[1]) {
  // Not awaited: the command line imports this module, which could then never finish loading.
  void import("./cli.ts").then(async ({ runTemplateCli }) => {
    process.exitCode = await runTemplateCli(process.argv.slice(2));
  });
}
