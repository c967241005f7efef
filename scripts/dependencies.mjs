// Plain Node without imports from npm: this runs before there are any.
import { spawnSync } from "node:child_process";
import { lstatSync, readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const oldestNode = [20, 18];

/**
 * Whether what npm says it installed is what the lock file asks for. Contents are compared and not times: a checkout
 * touches the lock file without changing it.
 *
 * @typedef {{ packages?: Record<string, { version?: string, optional?: boolean, devOptional?: boolean }> }} Lock
 * @param {Lock} wanted the lock file
 * @param {Lock | undefined} installed the lock file that npm keeps inside node_modules
 * @returns {boolean}
 */
export function isInstalled(wanted, installed) {
  if (installed?.packages === undefined) return false;
  return Object.entries(wanted.packages ?? {}).every(([path, { version, optional, devOptional }]) => {
    if (path === "") return true;
    const found = installed.packages?.[path];
    // Packages for other systems are in the lock file and never installed here.
    if (found === undefined) return optional === true || devOptional === true;
    return found.version === version;
  });
}

/** Installs the dependencies unless they are there; ends the process with one sentence when that fails. */
export function ensureDependencies() {
  requireNode();
  if (dependenciesAreInstalled()) return;
  if (lstatSync(join(root, "node_modules"), { throwIfNoEntry: false })?.isSymbolicLink()) {
    stop(
      "node_modules is a link to a folder that does not fit package-lock.json; run npm ci where it points.",
    );
  }
  console.log("Installing the dependencies with npm ci.");
  const { status, signal } = spawnSync("npm", ["ci", "--include=dev"], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (signal !== null) process.exit(130);
  if (status !== 0) stop("npm ci failed; what it said stands above.");
}

/** Whether the dependencies are there and the right ones. */
export function dependenciesAreInstalled() {
  const wanted = readJson(join(root, "package-lock.json"));
  return (
    wanted !== undefined && isInstalled(wanted, readJson(join(root, "node_modules", ".package-lock.json")))
  );
}

/** Ends the process with one sentence. @param {string} sentence @returns {never} */
export function stop(sentence) {
  console.error(sentence);
  process.exit(1);
}

function requireNode() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const [oldestMajor, oldestMinor] = oldestNode;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return;
  stop(`Node ${oldestNode.join(".")} or newer is needed; this is ${process.versions.node}.`);
}

/** @param {string} path */
function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}
