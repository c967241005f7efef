import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Template } from "#contract/template";
import { renderDockerfile } from "./dockerfile.ts";
import type { LoadedManifest } from "./manifest.ts";

/** Raised when the builder changes what is in an image in a way that the rendered Dockerfile does not show. */
const builderFormat = 1;

/** The content digest of a template: the same manifest, files and builder give the same 64 hex digits anywhere. */
export async function templateDigest(manifest: LoadedManifest): Promise<string> {
  const { folder, ...template } = manifest;
  const contents = new Map<string, Buffer>();
  for (const { source } of template.files) contents.set(source, await readFile(join(folder, source)));
  return digestOf(template, contents);
}

/** The digest over a manifest and the contents of its files, whatever the order of the keys. */
export function digestOf(manifest: Template, contents: ReadonlyMap<string, Buffer>): string {
  const files = Object.fromEntries([...contents].map(([path, bytes]) => [path, sha256(bytes)]));
  // The rendered text is in, so that a change of the recipe is a new digest without anybody thinking of it.
  return sha256(stableJson({ builderFormat, manifest, files, recipe: renderDockerfile(manifest) }));
}

/** The tag that an image with this digest has. */
export function imageTag(name: string, digest: string): string {
  return `sandgate/${name}:${digest.slice(0, 12)}`;
}

function stableJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

function sha256(content: string | Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}
