// Plain Node but for esbuild: `npm start` begins with this, before any TypeScript can run.
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { stop } from "./dependencies.mjs";

const root = join(import.meta.dirname, "..");
const outFolder = join(root, ".cache", "programs");

/** @type {Map<string, Promise<string>>} */
const bundles = new Map();

/**
 * Makes one JavaScript file of a program's TypeScript, but for what comes from npm. Loading hundreds of files through a
 * hook took 1.4 s of processor time at each start of the control plane; this takes 0.1 s, and the file loads in 0.4 s.
 *
 * @param {string} entry from the project's folder
 * @returns {Promise<string>} the file's path; made once per process, and whole at any moment whoever makes it too
 * @throws Error with one sentence when the folder cannot be written
 */
export function bundle(entry) {
  const known = bundles.get(entry);
  if (known) return known;
  const made = make(entry);
  bundles.set(entry, made);
  return made;
}

/**
 * Goes on in this process with one of the project's programs.
 *
 * @param {string} entry from the project's folder
 */
export async function run(entry) {
  process.setSourceMapsEnabled(true);
  const path = await bundle(entry).catch(({ message }) => stop(message));
  await import(pathToFileURL(path).href);
}

/** @param {string} entry */
async function make(entry) {
  const path = join(outFolder, entry.replaceAll("/", "-").replace(/\.ts$/, ".mjs"));
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    write: false,
    platform: "node",
    format: "esm",
    target: "node20.18",
    packages: "external",
    sourcemap: "inline",
    plugins: [ownPlaces],
    outfile: path,
    logLevel: "silent",
  });
  const text = outputFiles[0]?.text ?? "";
  if (text !== (await readFile(path, "utf8").catch(() => undefined))) await replace(path, text);
  return path;
}

/**
 * Lets each source go on to know where it lies itself, rather than where the bundle does.
 *
 * @type {import("esbuild").Plugin}
 */
const ownPlaces = {
  name: "own-places",
  setup({ onLoad }) {
    onLoad({ filter: /\.(ts|mjs)$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      if (!source.includes("import.meta.")) return undefined;
      const places = { url: pathToFileURL(path).href, dirname: dirname(path), filename: path };
      const contents = source.replaceAll(/import\.meta\.(url|dirname|filename)/g, (_all, name) =>
        JSON.stringify(places[name]),
      );
      return { contents, loader: path.endsWith(".ts") ? "ts" : "js" };
    });
  },
};

/**
 * @param {string} path
 * @param {string} text
 */
async function replace(path, text) {
  const fresh = `${path}.${process.pid}`;
  try {
    await mkdir(outFolder, { recursive: true });
    await writeFile(fresh, text);
    await rename(fresh, path);
  } catch (cause) {
    await rm(fresh, { force: true }).catch(() => undefined);
    throw new Error(`${outFolder} cannot be written: free space there, or change its owner.`, { cause });
  }
}
