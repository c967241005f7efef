import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { Template } from "#contract/template";
import { StopError } from "./stop.ts";

/** A manifest and the folder that its files are in. */
export type LoadedManifest = Template & { folder: string };

/**
 * Loads and validates every manifest below a folder, by name.
 * @throws StopError that names the file and what is wrong with it
 */
export async function loadManifests(root: string = import.meta.dirname): Promise<LoadedManifest[]> {
  const manifests: LoadedManifest[] = [];
  for (const entry of await readdir(root, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const folder = join(root, entry.name);
    const json = await readFile(join(folder, "template.json"), "utf8").catch(() => undefined);
    if (json === undefined) continue;
    const manifest = parseManifest(json, `templates/${entry.name}/template.json`);
    if (manifest.name !== entry.name) {
      throw new StopError(
        `templates/${entry.name}/template.json names itself ${manifest.name}; it must match its folder.`,
      );
    }
    manifests.push({ ...manifest, folder });
  }
  refuseDoubleNames(manifests);
  return manifests.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Finds a template by its name or one of its aliases. @throws StopError that lists what there is */
export function findManifest(manifests: readonly LoadedManifest[], name: string): LoadedManifest {
  const found = manifests.find((manifest) => manifest.name === name || manifest.aliases.includes(name));
  if (found !== undefined) return found;
  const names = manifests.map((manifest) => manifest.name).join(", ");
  throw new StopError(`There is no template named ${name}; there are: ${names}.`);
}

/** Parses one manifest. @throws StopError that names the file and the first thing that is wrong */
export function parseManifest(json: string, path: string): Template {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new StopError(`${path} is not JSON.`, { cause });
  }
  const parsed = Template.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new StopError(`${path} is not a template: ${issue?.path.join(".")}: ${issue?.message}.`);
}

function refuseDoubleNames(manifests: readonly LoadedManifest[]): void {
  const owners = new Map<string, string>();
  for (const manifest of manifests) {
    for (const name of [manifest.name, ...manifest.aliases]) {
      const owner = owners.get(name);
      if (owner !== undefined) {
        throw new StopError(`The template name ${name} is used by both ${owner} and ${manifest.name}.`);
      }
      owners.set(name, manifest.name);
    }
  }
}
