import { join } from "node:path";
import type { Template } from "#contract/template";
import type { Engine } from "#host/engine/request";
import { ensureTemplateImage, type TemplateImage } from "#templates/build";
import type { LoadedManifest } from "#templates/manifest";
import type { Report, Runner } from "#templates/runner";

type ImageInput = {
  manifest: LoadedManifest;
  engine: Engine;
  dataDir: string;
  runner: Runner;
  report: Report;
  signal?: AbortSignal | undefined;
};

/** A template whose image is there, with what the control plane and the host have to know of it. */
export type PreparedTemplate = Pick<
  Template,
  "name" | "aliases" | "limits" | "startCommand" | "readyCommand"
> & { digest: string; image: string };

/** Makes sure that the engine has the image of a template. */
export function ensureImage({ dataDir, ...input }: ImageInput): Promise<TemplateImage> {
  return ensureTemplateImage({ ...input, workDir: join(dataDir, "templates") });
}

export function preparedTemplate(manifest: LoadedManifest, made: TemplateImage): PreparedTemplate {
  const { name, aliases, limits, startCommand, readyCommand } = manifest;
  return { name, aliases, limits, startCommand, readyCommand, digest: made.digest, image: made.image };
}
