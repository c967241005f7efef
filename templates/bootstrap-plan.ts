import type { Template } from "#contract/template";
import { type AptSource, aptSourceLine } from "./apt-source.ts";
import { finishSteps, programMode, trimSteps, unwantedPaths } from "./recipe.ts";

type BootstrapInput = {
  manifest: Template;
  /** Folder of the manifest's files. */
  folder: string;
  /** Where the manifest's programs lie, in its order. */
  programs: readonly string[];
  /** The first one is the release; the others bring its updates. */
  sources: readonly AptSource[];
  /** Lines of apt's own configuration that say how to reach the archive. */
  aptOptions: readonly string[];
  tarPath: string;
};

/** Plans how to make the image out of the distribution's packages: one command line for mmdebstrap. */
export function planBootstrap(input: BootstrapInput): string[] {
  const { manifest, sources, aptOptions, tarPath } = input;
  const packages = [...new Set(manifest.packages)].sort();
  return [
    // Own mount and pid namespaces: whatever ends the build, no mount and no process of it stays behind.
    ...["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"],
    ...["mmdebstrap", "--mode=root", "--format=tar", `--variant=${variantOf[manifest.profile]}`],
    // mmdebstrap keeps its apt configuration in the image's /tmp; had a step emptied that, its apt clean-up would
    // empty the lists of this machine. `trimSteps` does that work inside the image.
    "--skip=cleanup/apt,cleanup/run,output/dev",
    ...(packages.length === 0 ? [] : [`--include=${packages.join(",")}`]),
    ...unwantedPaths.map((path) => `--dpkgopt=path-exclude=${path}`),
    // The tree is thrown away once it is packed, so nothing is gained by waiting for the disk.
    "--dpkgopt=force-unsafe-io",
    ...['Acquire::Languages "none"', ...aptOptions].map((option) => `--aptopt=${option}`),
    ...hooks(input).map((hook) => `--customize-hook=${hook}`),
    sources[0]?.suite ?? "",
    tarPath,
    ...sources.map(aptSourceLine),
  ];
}

// Where packages can be installed later, apt and its sources stay.
const variantOf = { strict: "essential", root: "apt" } as const;

function hooks({ manifest, folder, programs }: BootstrapInput): string[] {
  const install = (mode: string, from: string, path: string) =>
    `install -D -m ${mode} ${quote(from)} "$1"${quote(path)}`;
  return [
    ...manifest.files.map(({ source, path, mode }) => install(mode, `${folder}/${source}`, path)),
    ...programs.map((from, i) => install(programMode, from, manifest.programs[i]?.path ?? "")),
    ...manifest.steps.map(inside),
    inside(["set -eu", ...trimSteps(), ...finishSteps(manifest), ...forgetMachine].join("\n")),
  ];
}

/** What mmdebstrap copies from this machine, or leaves of how it worked. */
const forgetMachine = [
  "rm -f /etc/apt/apt.conf.d/99mmdebstrap /etc/dpkg/dpkg.cfg.d/99mmdebstrap /etc/hostname",
  ": > /etc/resolv.conf",
  "echo '127.0.0.1 localhost' > /etc/hosts",
];

function inside(script: string): string {
  return `chroot "$1" /bin/sh -euc ${quote(script)}`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Keeps the lines of `apt-config dump` that say how archives are reached: proxies, certificates, retries. */
export function transportOptions(aptConfig: string): string[] {
  return aptConfig
    .split("\n")
    .map((line) => line.trim().replace(/;$/, ""))
    .filter((line) => /^Acquire::(https?(::|\s)|Retries\s)/.test(line) && !line.endsWith('""'));
}
