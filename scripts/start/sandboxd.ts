import { createHash } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { withLock } from "#templates/lock";
import type { Report, Runner } from "#templates/runner";
import { StopError } from "#templates/stop";

const ownFolder = join(import.meta.dirname, "..", "..", "agent-host", "sandboxd");

type SandboxdInput = {
  runner: Runner;
  report: Report;
  signal?: AbortSignal | undefined;
  /** Other sources than ours; for tests. */
  folder?: string;
};
type Built = { path: string; built: boolean };

const lockWaitMs = 300_000;

/**
 * Builds the in-sandbox daemon unless the binary was made of these very sources; installs a compiler if there is none.
 * @throws StopError with the compiler's complaint, or the signal's reason
 */
export async function ensureSandboxd({ folder = ownFolder, ...input }: SandboxdInput): Promise<Built> {
  const path = join(folder, "build", "sandboxd");
  const cached: Built = { path, built: false };
  if (await isUpToDate(folder, path)) return cached;
  const lock = {
    path: join(folder, "build", "lock"),
    waitMs: lockWaitMs,
    onWait: () => input.report("Another process compiles sandboxd; waiting for it."),
    signal: input.signal,
  };
  return withLock(lock, async () => {
    if (await isUpToDate(folder, path)) return cached;
    await compile(input, folder, path);
    return { path, built: true };
  });
}

const stampPath = (folder: string) => join(folder, "build", "sources.sha256");

async function isUpToDate(folder: string, path: string): Promise<boolean> {
  const stamp = await readFile(stampPath(folder), "utf8").catch(() => "");
  return stamp === `${await sourceDigest(folder)} ${await fileDigest(path)}`;
}

async function compile({ runner, report }: SandboxdInput, folder: string, path: string): Promise<void> {
  // Taken first: what is edited while the compiler runs must be compiled again.
  const digest = await sourceDigest(folder);
  await runner.install([
    { provides: "cc", packages: ["gcc"] },
    { provides: "/usr/include/stdlib.h", packages: ["libc6-dev"] },
    { provides: "make", packages: ["make"] },
  ]);
  report("Compiling sandboxd.");
  // make goes by times, which copies, archives and clocks get wrong: what it took for done would get our new stamp.
  await runner.run(["make", "--always-make", "-C", folder]);
  await writeFile(stampPath(folder), `${digest} ${await fileDigest(path)}`);
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
