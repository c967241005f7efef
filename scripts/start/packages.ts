import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import type { PackageNeed, Report, Runner } from "#templates/runner";
import { StopError } from "#templates/stop";

type Apt = {
  /** Runs a command with root's rights; absent where there is no way to get them. */
  runAsRoot: Runner["runAsRoot"] | undefined;
  report: Report;
};

const aptOptions = { env: { DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C.UTF-8" } };
// A lock held by the unattended upgrade of a machine that has just booted is waited for.
const aptGet = ["apt-get", "--quiet", "--yes", "-o", "DPkg::Lock::Timeout=120"];
// Root's programs are not on every user's path.
const systemFolders = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/** Whether a program of this name is installed. */
export async function hasCommand(name: string): Promise<boolean> {
  for (const folder of [...(process.env.PATH ?? "").split(delimiter), ...systemFolders]) {
    if (folder !== "" && (await isPresent(join(folder, name), constants.X_OK))) return true;
  }
  return false;
}

/** Whether there is something at this path that this user may use so. */
export async function isPresent(path: string, mode: number = constants.F_OK): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  );
}

/**
 * Installs the packages of which something is missing, from the sources that this machine's apt has.
 * @throws StopError that names what to install, where there is no apt or no root
 */
export async function installPackages(
  { runAsRoot, report }: Apt,
  needs: readonly PackageNeed[],
): Promise<void> {
  const missing: string[] = [];
  for (const { provides, packages } of needs) {
    const isThere = provides.startsWith("/") ? await isPresent(provides) : await hasCommand(provides);
    if (!isThere) missing.push(...packages);
  }
  if (missing.length === 0) return;
  if (!(await hasCommand("apt-get")))
    throw new StopError(`Install ${list(missing)} with this system's package manager.`);
  if (runAsRoot === undefined) {
    throw new StopError(`Install ${list(missing)} first: sudo apt-get install ${missing.join(" ")}`);
  }
  report(`Installing ${list(missing)} with apt-get.`);
  const install = [...aptGet, "install", "--no-install-recommends", ...missing];
  try {
    await runAsRoot(install, aptOptions);
  } catch {
    // Lists that are missing or name packages that the archive has since replaced; fresh ones settle both.
    await refreshPackageLists({ runAsRoot, report });
    await runAsRoot(install, aptOptions);
  }
}

/** Fetches apt's package lists anew. @throws StopError without root */
export async function refreshPackageLists({ runAsRoot, report }: Apt): Promise<void> {
  if (runAsRoot === undefined)
    throw new StopError("The package lists are missing: run sudo apt-get update first.");
  report("Fetching the package lists.");
  await runAsRoot([...aptGet, "update"], aptOptions);
}

function list(names: string[]): string {
  return names.join(" and ");
}
