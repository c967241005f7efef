import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type DaemonPaths, readPidFile, startDaemon, stopDaemon } from "../../../scripts/start/daemon.ts";
import { ensureEngine } from "../../../scripts/start/engine.ts";
import { createRunner } from "../../../scripts/start/runner.ts";

// A second daemon with folders of its own and no network: the machine's own engine is not touched.
let folder = "";
let paths: DaemonPaths;
const report = () => {};
const runner = createRunner({ report });
const ensure = () => ensureEngine({ dockerHost: "", paths, runner, report });

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sandgate-engine-"));
  const at = (name: string) => join(folder, name);
  const folders = ["--data-root", at("data"), "--exec-root", at("exec"), "--pidfile", at("pid")];
  const network = ["--bridge=none", "--iptables=false", "--ip6tables=false"];
  paths = {
    socketPath: at("sock"),
    pidFile: at("pid"),
    dataDir: at("own"),
    command: ["dockerd", ...folders, "--host", `unix://${at("sock")}`, ...network],
  };
});

afterEach(async () => {
  await stopDaemon(paths, runner);
  await rm(folder, { recursive: true, force: true });
});

test("an engine is started once, is ours in the next run too, and ends when it is stopped", async () => {
  expect(await ensure()).toMatchObject({ socketPath: paths.socketPath, startedByUs: true, startedNow: true });
  const pid = await readPidFile(paths.pidFile);
  expect(await ensure()).toMatchObject({ startedByUs: true, startedNow: false });
  expect(await readPidFile(paths.pidFile)).toBe(pid);
  await stopDaemon(paths, runner);
  expect(await readPidFile(paths.pidFile)).toBeUndefined();
});

test("an engine that somebody else started is used and never stopped", async () => {
  await startDaemon({
    paths,
    isReady: async () => (await readPidFile(paths.pidFile)) !== undefined,
    waitMs: 20_000,
  });
  const pid = await readPidFile(paths.pidFile);
  if (pid === undefined) throw new Error("The engine does not run.");
  expect(await ensure()).toMatchObject({ startedByUs: false, startedNow: false });
  await stopDaemon(paths, runner);
  expect(await readPidFile(paths.pidFile)).toBe(pid);
  process.kill(pid, "SIGTERM");
  await expect.poll(() => readPidFile(paths.pidFile), { timeout: 20_000 }).toBeUndefined();
});

test("a daemon that ends at once is told with its last words, which are also in the log", async () => {
  paths.command = ["sh", "-c", "echo cannot mount cgroups >&2; exit 1"];
  await expect(ensure()).rejects.toThrow(/^dockerd ended; [\s\S]*cannot mount cgroups/);
  expect(await readFile(join(paths.dataDir, "dockerd.log"), "utf8")).toContain("cannot mount cgroups");
});
