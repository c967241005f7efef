import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type AptSource, indexTargetsCommand, parseAptSources } from "./apt-source.ts";
import { planBootstrap, transportOptions } from "./bootstrap-plan.ts";
import type { LoadedManifest } from "./manifest.ts";
import type { Report, Runner } from "./runner.ts";
import { StopError } from "./stop.ts";

type BootstrapInput = {
  manifest: LoadedManifest;
  /** Files of the manifest's programs. */
  programs: readonly string[];
  scratchDir: string;
  runner: Runner;
  report: Report;
};

/**
 * Makes the root file system of a template out of the distribution's packages and returns the path of its tar.
 * @throws StopError with one sentence where this machine cannot do that
 */
export async function bootstrap(input: BootstrapInput): Promise<string> {
  const { manifest, programs, scratchDir, runner, report } = input;
  await runner.install([{ provides: "mmdebstrap", packages: ["mmdebstrap"] }]);
  const tarPath = join(scratchDir, "root.tar");
  const command = planBootstrap({
    manifest,
    folder: manifest.folder,
    programs,
    sources: await findSources(runner),
    aptOptions: transportOptions(await runner.run(["apt-config", "dump", "Acquire"])),
    tarPath,
  });
  await runner.runAsRoot(command, {
    env: { TMPDIR: scratchDir, LC_ALL: "C.UTF-8" },
    isDisposable: true,
    onLine: (line) => {
      const step = progressOf(line);
      if (step !== undefined) report(step);
    },
  });
  return tarPath;
}

async function findSources(runner: Runner): Promise<AptSource[]> {
  const distribution = {
    codename: releaseCodename(await readFile("/etc/os-release", "utf8")),
    architecture: (await runner.run(["dpkg", "--print-architecture"])).trim(),
  };
  const find = async () => parseAptSources(await runner.run(indexTargetsCommand), distribution);
  const known = await find();
  if (known.length > 0) return known;
  // A fresh machine has no lists yet, and apt cannot tell an archive that it has never read from a third party's.
  await runner.refreshPackageLists();
  const fetched = await find();
  if (fetched.length > 0) return fetched;
  throw new StopError(
    "The machine's apt has no source for its own distribution, Debian or Ubuntu, to make the image from; add one to /etc/apt.",
  );
}

/** What is worth showing of mmdebstrap's talk: the steps that end in dots. */
export function progressOf(line: string): string | undefined {
  const step = /^I: ([a-z -]+)\.\.\.$/.exec(line)?.[1];
  return step && `${step.charAt(0).toUpperCase()}${step.slice(1)}.`;
}

/** The release whose packages this machine runs on; empty where os-release does not say, as on some unstable ones. */
export function releaseCodename(osRelease: string): string {
  // A distribution made from Ubuntu names its own release first.
  for (const name of ["UBUNTU_CODENAME", "VERSION_CODENAME"]) {
    const found = new RegExp(`^${name}="?([a-z]+)"?$`, "m").exec(osRelease)?.[1];
    if (found !== undefined) return found;
  }
  return "";
}
