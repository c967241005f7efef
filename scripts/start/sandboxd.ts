import { createHash } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Report, Runner } from "#templates/runner";
import { StopError } from "#templates/stop";

const ownFolder = join(import.meta.dirname, "..", "..", "agent-host", "sandboxd");

type SandboxdInput = {
  runner: Runner;
  report: Report;
  /** Other sources than ours; for tests. */
  folder?: string;
};

/**
 * Builds the in-sandbox daemon unless the binary was made of these very sources; installs a compiler if there is none.
 * @throws StopError with the compiler's complaint
 */
export async function ensureSandboxd({
  runner,
  report,
  folder = ownFolder,
}: SandboxdInput): Promise<{ path: string; built: boolean }> {
  const path = join(folder, "build", "sandboxd");
  const stampPath = join(folder, "build", "sources.sha256");
  const digest = await sourceDigest(folder);
  const stamp = await readFile(stampPath, "utf8").catch(() => "");
  if (stamp === `${digest} ${await fileDigest(path)}`) return { path, built: false };
  await runner.install([
    { provides: "cc", packages: ["gcc"] },
    { provides: "/usr/include/stdlib.h", packages: ["libc6-dev"] },
    { provides: "make", packages: ["make"] },
  ]);
  report("Compiling sandboxd.");
  // make goes by times, which copies, archives and clocks get wrong: what it took for done would get our new stamp.
  await runner.run(["make", "--always-make", "-C", folder]);
  await writeFile(stampPath, `${digest} ${await fileDigest(path)}`);
  return { path, built: true };
}

async function sourceDigest(folder: string): Promise<string> {
  const names = await readdir(folder).catch(() => [] as string[]);
  const sources = names.filter((name) => name === "Makefile" || /\.[ch]$/.test(name)).sort();
  if (sources.length === 0) throw new StopError(`The sources of sandboxd are missing from ${folder}.`);
  const hash = createHash("sha256");
  for (const name of sources) {
    const content = await readFile(join(folder, name));
    hash.update(`${name} ${content.byteLength}\n`).update(content);
  }
  return hash.digest("hex");
}

async function fileDigest(path: string): Promise<string> {
  const content = await readFile(path).catch(() => undefined);
  return content === undefined ? "missing" : createHash("sha256").update(content).digest("hex");
}
