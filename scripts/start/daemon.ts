import { spawn } from "node:child_process";
import { mkdir, open, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { processStart } from "#templates/process";
import type { Runner } from "#templates/runner";
import { StopError } from "#templates/stop";
import { rootAccess } from "./runner.ts";

/** Where a Docker daemon of this machine lives, and how it is started. */
export type DaemonPaths = {
  socketPath: string;
  pidFile: string;
  /** What the daemon prints goes here, and so does the record that it is ours. */
  dataDir: string;
  command: readonly string[];
};

/** The paths that the distribution's dockerd uses by itself. */
export function usualDaemon(dataDir: string): DaemonPaths {
  return {
    socketPath: "/var/run/docker.sock",
    pidFile: "/var/run/docker.pid",
    dataDir,
    command: ["dockerd"],
  };
}

type StartInput = { paths: DaemonPaths; isReady: () => Promise<boolean>; waitMs: number };

/**
 * Starts the daemon so that it outlives this process, and waits until it answers.
 * @throws StopError with the daemon's last words when it ends or stays silent
 */
export async function startDaemon({ paths, isReady, waitMs }: StartInput): Promise<void> {
  await mkdir(paths.dataDir, { recursive: true, mode: 0o700 });
  const logPath = join(paths.dataDir, "dockerd.log");
  const log = await open(logPath, "w", 0o600);
  const sudo = (await rootAccess()) === "sudo" ? ["sudo", "-n"] : [];
  const [program = "", ...args] = [...sudo, ...paths.command];
  // A session of its own: the Ctrl-C that ends us must not end the engine under other people's containers.
  const child = spawn(program, args, { detached: true, stdio: ["ignore", log.fd, log.fd] });
  const ended = new Promise<true>((resolve) => {
    child.once("exit", () => resolve(true)).once("error", () => resolve(true));
  });
  child.unref();
  await log.close();
  const deadlineMs = Date.now() + waitMs;
  while (!(await isReady())) {
    if (await Promise.race([ended, sleep(100, false)]))
      throw new StopError(await lastWords(logPath, "ended"));
    if (Date.now() > deadlineMs) {
      child.kill("SIGTERM");
      throw new StopError(await lastWords(logPath, `did not answer within ${waitMs / 1000} seconds`));
    }
  }
}

/** The live process that a daemon's pid file names. */
export async function readPidFile(path: string): Promise<number | undefined> {
  const pid = Number((await readFile(path, "utf8").catch(() => "")).trim());
  return Number.isInteger(pid) && pid > 0 && (await processStart(pid)) !== undefined ? pid : undefined;
}

/** Whether the running daemon is one that we started; a new one is recorded as ours. */
export async function ownDaemon(paths: DaemonPaths, isNew: boolean): Promise<boolean> {
  const pid = await readPidFile(paths.pidFile);
  if (pid === undefined) return false;
  const identity = `${pid} ${await processStart(pid)}\n`;
  const recordPath = join(paths.dataDir, "dockerd.pid");
  if (!isNew) return (await readFile(recordPath, "utf8").catch(() => "")) === identity;
  await mkdir(dirname(recordPath), { recursive: true, mode: 0o700 });
  await writeFile(recordPath, identity);
  return true;
}

/** Stops a daemon that we started, and only that one. */
export async function stopDaemon(paths: DaemonPaths, runner: Runner): Promise<void> {
  const pid = await readPidFile(paths.pidFile);
  if (pid === undefined || !(await ownDaemon(paths, false))) return;
  await runner.runAsRoot(["sh", "-c", `kill -TERM ${pid}`]);
  const deadlineMs = Date.now() + 30_000;
  while ((await processStart(pid)) !== undefined && Date.now() < deadlineMs) await sleep(100);
  await rm(join(paths.dataDir, "dockerd.pid"), { force: true });
}

/** Does some work, then stops a daemon that we started meanwhile, however the work went. One of before stays. */
export async function stopNewDaemonAfter<T>(
  paths: DaemonPaths,
  runner: Runner,
  work: () => Promise<T>,
): Promise<T> {
  const wasOurs = await ownDaemon(paths, false);
  try {
    return await work();
  } finally {
    if (!wasOurs) await stopDaemon(paths, runner);
  }
}

async function lastWords(logPath: string, what: string): Promise<string> {
  const lines = (await readFile(logPath, "utf8").catch(() => "")).trim().split("\n");
  return `dockerd ${what}; the end of ${logPath}:\n${lines.slice(-5).join("\n")}`;
}
