import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Engine, EngineError } from "#host/engine/request";
import { ensureTemplateImage } from "#templates/build";
import type { Runner } from "#templates/runner";
import { manifestOf } from "#test/support/manifest";

let workDir = "";
beforeEach(async () => {
  workDir = await mkdtemp(join(tmpdir(), "sandgate-build-"));
});
afterEach(() => rm(workDir, { recursive: true, force: true }));

const refused = () => Promise.reject(new Error("not asked for here"));

test("a build that the engine is at is broken off when we are told to stop, and nothing else is begun", async () => {
  const stop = new AbortController();
  const report: string[] = [];
  const engine: Engine = {
    socketPath: "",
    // The image that the template is made from is there, the template's own is not.
    json: async <T>({ path }: { path: string }) => {
      if (path.includes("sandgate")) throw new EngineError(404, "No such image.");
      return {} as T;
    },
    text: async () => "",
    open: (call) =>
      new Promise((_resolve, reject) => {
        call.stream?.resume();
        const giveUp = () => reject(new EngineError(0, "The engine did not answer."));
        call.signal?.addEventListener("abort", giveUp);
        stop.abort("SIGINT");
        setTimeout(giveUp, 500);
      }),
    close: () => undefined,
  };
  const runner: Runner = {
    run: refused,
    runAsRoot: async (command) => {
      await rm(command.at(-1) ?? "", { recursive: true, force: true });
      return "";
    },
    install: refused,
    refreshPackageLists: refused,
  };
  const manifest = { ...manifestOf({ files: [] }), folder: workDir };
  const building = ensureTemplateImage({
    engine,
    manifest,
    workDir,
    report: (line) => report.push(line),
    runner,
    signal: stop.signal,
  });
  await expect(building).rejects.toBe("SIGINT");
  expect(report).toEqual([expect.stringMatching(/^Building sandgate\/probe:/)]);
  expect(await readdir(workDir)).toEqual([]);
});
