import { createHash } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Report, Runner } from "#templates/runner";
import { StopError } from "#templates/stop";

const folder = join(import.meta.dirname, "..", "..", "agent-host", "sandboxd");
const buildDir = join(folder, "build");
const stampPath = join(buildDir, "sources.sha256");

/** Where the in-sandbox daemon is after `ensureSandboxd`. */
export const sandboxdPath = join(buildDir, "sandboxd");

type SandboxdInput = { runner: Runner; report: Report };

/**
 * Builds the in-sandbox daemon unless the binary was made of these very sources; installs a compiler if there is none.
 * @throws StopError with the compiler's complaint
 */
export async function ensureSandboxd({
  runner,
  report,
}: SandboxdInput): Promise<{ path: string; built: boolean }> {
  const digest = await sourceDigest();
  const stamp = await readFile(stampPath, "utf8").catch(() => "");
  if (stamp === `${digest} ${await fileDigest(sandboxdPath)}`) return { path: sandboxdPath, built: false };
  await runner.install([
    { provides: "cc", packages: ["gcc"] },
    { provides: "/usr/include/stdlib.h", packages: ["libc6-dev"] },
    { provides: "make", packages: ["make"] },
  ]);
  report("Compiling sandboxd.");
  await runner.run(["make", "-C", folder]);
  await writeFile(stampPath, `${digest} ${await fileDigest(sandboxdPath)}`);
  return { path: sandboxdPath, built: true };
}

async function sourceDigest(): Promise<string> {
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
