import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Runner } from "#templates/runner";
import {
  type DaemonPaths,
  ownDaemon,
  readPidFile,
  stopNewDaemonAfter,
} from "../../../scripts/start/daemon.ts";

let folder = "";
let paths: DaemonPaths;
let daemon: ChildProcess;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sandgate-daemon-"));
  paths = { socketPath: "", pidFile: join(folder, "pid"), dataDir: folder, command: [] };
  daemon = spawn("sleep", ["60"], { stdio: "ignore" });
  await once(daemon, "spawn");
});
afterEach(async () => {
  daemon.kill("SIGKILL");
  await rm(folder, { recursive: true, force: true });
});

const unused = () => Promise.reject(new Error("not needed here"));
const runner: Runner = {
  run: unused,
  runAsRoot: async () => {
    const ended = once(daemon, "exit");
    daemon.kill("SIGTERM");
    await ended;
    return "";
  },
  install: unused,
  refreshPackageLists: unused,
};
const start = async () => {
  await writeFile(paths.pidFile, String(daemon.pid));
  await ownDaemon(paths, true);
};

test("an engine that the work started is stopped with it, also when the work fails right after", async () => {
  const work = async () => {
    await start();
    throw new Error("no image");
  };
  await expect(stopNewDaemonAfter(paths, runner, work)).rejects.toThrow("no image");
  expect(await readPidFile(paths.pidFile)).toBeUndefined();
});

test("an engine that was ours before stays", async () => {
  await start();
  expect(await stopNewDaemonAfter(paths, runner, async () => "done")).toBe("done");
  expect(await readPidFile(paths.pidFile)).toBe(daemon.pid);
});
