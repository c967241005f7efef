/** One suite of the distribution's own archive, as this machine's apt is set up to reach it. */
export type AptSource = { uri: string; suite: string; components: string[]; signedBy: string };

/** What decides which of apt's sources are the distribution's: fields of `os-release` and dpkg's architecture. */
export type Distribution = { codename: string; architecture: string };

const fields = [
  "CREATED_BY",
  "ORIGIN",
  "CODENAME",
  "SUITE",
  "RELEASE",
  "COMPONENT",
  "ARCHITECTURE",
  "REPO_URI",
  "SIGNED_BY",
];

/** Prints one line per package list that apt knows; read by `parseAptSources`. */
export const indexTargetsCommand = [
  "apt-get",
  "indextargets",
  "--format",
  fields.map((field) => `$(${field})`).join("|"),
] as const;

/** The archive's own name for itself, signed in its Release file: third parties have other ones. */
const archiveOrigins = new Set(["Debian", "Ubuntu"]);
/** Components that the distribution itself maintains and that are free. */
const archiveComponents = new Set(["main", "universe"]);
const unstableSuites = /backports|proposed|experimental|debug|rc-buggy/;

/**
 * Picks the archive's release, updates and security suites out of apt's list, the release itself first.
 * Empty when apt has never fetched its lists: an unfetched source does not say whose it is.
 */
export function parseAptSources(indexTargets: string, distribution: Distribution): AptSource[] {
  const sources = new Map<string, AptSource>();
  for (const line of indexTargets.split("\n")) {
    const target = parseTarget(line);
    if (target === undefined || !isArchive(target, distribution)) continue;
    const key = `${target.uri} ${target.suite}`;
    const source = sources.get(key) ?? { ...target, components: [] };
    if (!source.components.includes(target.component)) source.components.push(target.component);
    sources.set(key, {
      uri: source.uri,
      suite: source.suite,
      components: source.components,
      signedBy: source.signedBy,
    });
  }
  const found = [...sources.values()];
  const isRelease = (source: AptSource) => Number(/-(updates|security)$/.test(source.suite));
  return found.sort((a, b) => isRelease(a) - isRelease(b));
}

/** The source as one line of `sources.list`. */
export function aptSourceLine({ uri, suite, components, signedBy }: AptSource): string {
  const options = signedBy === "" ? "" : `[signed-by=${signedBy}] `;
  return `deb ${options}${uri} ${suite} ${components.join(" ")}`;
}

type Target = ReturnType<typeof parseTarget> & object;

function parseTarget(line: string) {
  const values = line.split("|");
  if (values.length < fields.length || values[0] !== "Packages") return undefined;
  // apt leaves the placeholder of a field that has no value.
  const known = values.map((value) => (value.startsWith("$(") ? "" : value));
  const [
    ,
    origin = "",
    codename = "",
    suiteName = "",
    suite = "",
    component = "",
    architecture = "",
    uri = "",
    key = "",
  ] = known;
  // A key can be a list of files or a key printed in full; only one plain file can be handed on.
  const signedBy = /^\/[^\s,]+$/.test(key) ? key : "";
  return { origin, codename, suiteName, suite, component, architecture, uri, signedBy };
}

function isArchive(target: Target, { codename, architecture }: Distribution): boolean {
  // Debian's security suite calls itself `<codename>-security`, Ubuntu's just `<codename>`.
  const release = target.codename.replace(/-(updates|security)$/, "");
  return (
    archiveOrigins.has(target.origin) &&
    archiveComponents.has(target.component) &&
    target.architecture === architecture &&
    (codename === "" || release === codename) &&
    !unstableSuites.test(`${target.suiteName} ${target.suite}`) &&
    !target.uri.startsWith("cdrom:")
  );
}
