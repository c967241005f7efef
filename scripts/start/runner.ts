import { proxyVariables } from "#templates/proxy";
import type { Report, RootOptions, Runner } from "#templates/runner";
import { StopError } from "#templates/stop";
import { runCommand } from "./command.ts";
import { killTree } from "./kill-tree.ts";
import { installPackages, refreshPackageLists } from "./packages.ts";

type RunnerOptions = { report: Report; signal?: AbortSignal | undefined };

/** How this process gets root's rights: it has them, `sudo` gives them without asking, or it does not get them. */
export type RootAccess = "root" | "sudo" | "none";

let known: Promise<RootAccess> | undefined;

/** Finds out once how this process gets root's rights. */
export function rootAccess(): Promise<RootAccess> {
  known ??= findRootAccess();
  return known;
}

async function findRootAccess(): Promise<RootAccess> {
  if (process.getuid?.() === 0) return "root";
  return runCommand(["sudo", "-n", "true"]).then(
    () => "sudo",
    () => "none",
  );
}

/** The real runner: commands of this machine, with `sudo -n` before those that need root and have no root. */
export function createRunner({ report, signal }: RunnerOptions): Runner {
  async function runAsRoot(
    command: readonly string[],
    { env = {}, ...how }: RootOptions = {},
  ): Promise<string> {
    const access = await rootAccess();
    if (access === "none")
      throw new StopError(`${command[0]} needs root: run this as root or with passwordless sudo.`);
    const options = {
      ...(how.onLine && { onLine: how.onLine }),
      ...(signal && !how.isCleanup && { signal }),
      ...(how.isDisposable && { onStop: (pid: number) => void killTree(pid, access) }),
    };
    if (access === "root") return runCommand(command, { ...options, env });
    // sudo drops the environment, so what the command needs goes through env.
    const assignments = Object.entries({ ...proxyVariables(process.env), ...env }).map(
      ([name, value]) => `${name}=${value}`,
    );
    return runCommand(["sudo", "-n", "env", ...assignments, ...command], options);
  }
  const apt = async () => ({ runAsRoot: (await rootAccess()) === "none" ? undefined : runAsRoot, report });
  return {
    run: (command) => runCommand(command, { ...(signal && { signal }) }),
    runAsRoot,
    install: async (needs) => installPackages(await apt(), needs),
    refreshPackageLists: async () => refreshPackageLists(await apt()),
  };
}
