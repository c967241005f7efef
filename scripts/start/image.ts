import { join } from "node:path";
import type { Engine } from "#host/engine/request";
import { ensureTemplateImage, type TemplateImage } from "#templates/build";
import { findManifest, loadManifests } from "#templates/manifest";
import type { Report, Runner } from "#templates/runner";

type ImageInput = {
  engine: Engine;
  dataDir: string;
  runner: Runner;
  report: Report;
  signal?: AbortSignal | undefined;
};

/** Makes sure that the engine has the image of the template that everything starts with. */
export async function ensureBaseImage({ dataDir, ...input }: ImageInput): Promise<TemplateImage> {
  const manifest = findManifest(await loadManifests(), "base");
  return ensureTemplateImage({ ...input, manifest, workDir: join(dataDir, "templates") });
}
