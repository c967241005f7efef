import { mkdirSync, mkdtempSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { ensureTemplateImage } from "#templates/build";
import { createRunner } from "../../scripts/start/runner.ts";
import { copyImage, type ForeignEngine, foreignEngine, neighborImage } from "../support/foreign-engine.ts";
import { baseImage } from "../support/image.ts";
import { scratchFolder } from "../support/machine.ts";
import { manifestOf } from "../support/manifest.ts";
import { npmStart, type Start } from "../support/npm-start.ts";
import { runInImage } from "../support/run-in-image.ts";
import { engine, hostIdOf, noTraces, processesOf, runDir, tracesOf } from "../support/traces.ts";

let foreign: ForeignEngine;
let before: unknown;
beforeAll(async () => {
  foreign = await foreignEngine();
  before = await foreign.neighbor();
});
afterAll(() => foreign?.stop());

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});
function folder(): string {
  const scratch = scratchFolder();
  cleanUps.push(scratch.dispose);
  return scratch.path;
}

async function startOn(dockerHost: string): Promise<Start> {
  const start = await npmStart(join(folder(), "data"), { DOCKER_HOST: dockerHost });
  cleanUps.push(async () => {
    await start.stop("SIGTERM");
    await expect.poll(() => processesOf(start.dataDir), { timeout: 15_000 }).toEqual([]);
  });
  return start;
}

test("an image is built on somebody else's engine, and nothing is left there but the image", async () => {
  const small = manifestOf({ name: "small", packages: [], files: [], steps: ["echo made > /etc/made"] });
  const report = () => undefined;
  const made = await ensureTemplateImage({
    engine: foreign.engine,
    manifest: { ...small, folder: folder() },
    workDir: folder(),
    runner: createRunner({ report }),
    report,
  });
  expect(made.built).toBe(true);
  expect((await runInImage(foreign.engine, made.image, ["cat", "/etc/made"])).output).toBe("made");
  expect(await foreign.images()).toEqual([made.image, neighborImage]);
  expect(await foreign.containers()).toEqual(["somebody-else"]);
  expect(await foreign.neighbor()).toEqual(before);
  await foreign.removeImage(made.image);
}, 240_000);

test("npm start works on the engine that DOCKER_HOST names, and what others run there stays as it is", async () => {
  const image = await baseImage();
  await copyImage(image, engine, foreign.engine);
  const start = await startOn(foreign.dockerHost);
  await start.ready();
  expect(start.output()).toContain(`Docker engine at ${foreign.dockerHost.slice("unix://".length)}`);
  expect(start.output()).toContain("275 words");
  const { id } = await start.api().create();
  expect(await start.api().exec(id, "echo here")).toMatchObject({ stdout: "here\n" });
  expect((await foreign.containers()).length).toBeGreaterThan(1);

  expect(await start.stop("SIGTERM")).toBe(0);
  await expect.poll(() => tracesOf(start.dataDir, hostIdOf(start.dataDir))).toEqual(noTraces);
  expect(await foreign.containers()).toEqual(["somebody-else"]);
  expect(await foreign.images()).toEqual([image, neighborImage]);
  expect(await foreign.neighbor()).toEqual(before);
});

test("an engine with files of its own is found out in one sentence, before anything is built on it, or not waited for", async () => {
  // It sees another folder than we do where sandboxes would dial in: so does one in a virtual machine.
  mkdirSync(runDir, { recursive: true, mode: 0o700 });
  // The last host to leave would remove the folder, and with it the mount on it, in whatever namespace that is.
  const kept = mkdtempSync(join(runDir, "test-"));
  cleanUps.push(() => rmdirSync(kept));
  const elsewhere = await foreignEngine([
    ...["unshare", "--mount", "--propagation", "private"],
    ...["sh", "-c", `mount -t tmpfs elsewhere ${runDir} && exec "$@"`, "sh"],
  ]);
  cleanUps.push(elsewhere.stop);
  const stopped = await startOn(elsewhere.dockerHost);
  await expect.poll(async () => (await elsewhere.containers()).length, { timeout: 30_000 }).toBe(2);
  const stoppedAtMs = performance.now();
  expect(await stopped.stop("SIGINT")).toBe(130);
  // It would wait for ten seconds otherwise.
  expect(performance.now() - stoppedAtMs).toBeLessThan(5_000);

  const start = await startOn(elsewhere.dockerHost);
  expect(await start.ended).toBe(1);
  expect(start.output().trimEnd().split("\n").at(-1)).toMatch(
    /^The Docker engine at \S+ does not share this machine's files .+: install Docker on this machine itself, or run this where the engine runs\.$/,
  );
  expect(await elsewhere.containers()).toEqual(["somebody-else"]);
  expect(await elsewhere.images()).toEqual([neighborImage]);
});
