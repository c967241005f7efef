import type { Template } from "#contract/template";

/**
 * What is done inside an image, in shell commands: the one truth behind the Dockerfile, the bootstrap and E2B.
 * The host relies on what `finishSteps` leaves: `/workspace`, `/home/user` on it, `/run/sandgate`, uid 1000.
 */

/** Never unpacked by the bootstrap, removed by the Dockerfile: what nobody reads inside a sandbox. */
export const unwantedPaths = [
  "/usr/share/doc/*",
  "/usr/share/info/*",
  "/usr/share/man/*",
  "/usr/share/locale/*",
  "/usr/share/lintian/*",
  "/usr/share/bug/*",
  "/usr/lib/*/perl/*/CORE/*.h",
] as const;

/** Lists, logs and caches: they change from build to build and grow the image. */
const leftovers = [
  "/var/lib/apt/lists/*",
  "/var/cache/apt/*",
  "/var/cache/debconf/*-old",
  "/var/cache/ldconfig/*",
  "/var/log/*",
];

export const imageEnvironment = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  LANG: "C.UTF-8",
} as const;

export const imageWorkDir = "/workspace";

export const programMode = "0755";

/** What the file of a manifest's program is called in a build context. */
export const programName = (index: number): string => `program-${index}`;

/** Installs the manifest's packages from inside an image that has apt. */
export function packageSteps(manifest: Template): string[] {
  const packages = [...new Set(manifest.packages)].sort();
  if (packages.length === 0) return [];
  return [
    "apt-get update",
    `DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends ${packages.join(" ")}`,
    "apt-get clean",
  ];
}

/** Removes what an image does not need; in a Dockerfile it must stand in the layer that brought it. */
export function trimSteps(): string[] {
  return [`rm -rf ${[...unwantedPaths, ...leftovers].join(" ")}`];
}

/** The user, its home and the mount points; last of all, in a strict image, every way to gain privileges goes. */
export function finishSteps(manifest: Template): string[] {
  const { user } = manifest;
  return [
    `grep -q '^${user}:' /etc/group || echo '${user}:x:1000:' >> /etc/group`,
    `grep -q '^${user}:' /etc/passwd || echo '${user}:x:1000:1000::/home/${user}:/bin/bash' >> /etc/passwd`,
    `mkdir -p ${imageWorkDir} /run/sandgate`,
    `chown 1000:1000 ${imageWorkDir}`,
    `rm -rf /home/${user}`,
    `ln -s ${imageWorkDir} /home/${user}`,
    ": > /etc/machine-id",
    ...(manifest.profile === "strict" ? strictSteps() : []),
  ];
}

function strictSteps(): string[] {
  return [
    // Nothing can be installed in there; and which mirror this machine uses is nobody's business in a sandbox.
    "rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*",
    "find / -xdev ! -type l -perm /6000 -exec chmod ug-s {} +",
    // Packages carry no capabilities themselves; only an installed setcap can have put any on a file.
    "if command -v setcap > /dev/null; then find / -xdev -type f -exec sh -c 'setcap -r \"$@\" 2> /dev/null || true' - {} +; fi",
  ];
}
