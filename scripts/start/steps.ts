import { resolve } from "node:path";
import type { Resolved } from "#contract/settings";
import { createEngine, type Engine } from "#host/engine/request";
import { findManifest, type LoadedManifest, loadManifests } from "#templates/manifest";
import type { Report } from "#templates/runner";
import { type DaemonPaths, usualDaemon } from "./daemon.ts";
import { ensureEngine, type MachineEngine } from "./engine.ts";
import { ensureImage, type PreparedTemplate, preparedTemplate } from "./image.ts";
import { ensureSharedMachine } from "./probe.ts";
import { runStep } from "./progress.ts";
import { createRunner } from "./runner.ts";
import { ensureSandboxd } from "./sandboxd.ts";

type PrepareInput = {
  dataDir: string;
  settings: Pick<Resolved, "DOCKER_HOST" | "SANDGATE_RUN_DIR" | "SANDGATE_TEMPLATES">;
  /** Gets plain lines where the display does not move. */
  report: Report;
  /** Shows the steps as lines that move; for terminals only. */
  isLive?: boolean;
  signal?: AbortSignal;
  /** Another daemon than the distribution's; for tests. */
  daemon?: DaemonPaths;
};

/** A machine on which sandboxes can be made. */
export type PreparedMachine = {
  engine: Pick<MachineEngine, "socketPath" | "startedByUs">;
  /** `base` first. */
  templates: [PreparedTemplate, ...PreparedTemplate[]];
  sandboxdPath: string;
};

/**
 * Prepares this machine: an engine that shares it, sandboxd and the images of its templates. What is there is kept as it is, so
 * a second call takes a fraction of a second.
 * @throws StopError or EngineError with one sentence, such as for a template that is none, or the signal's reason
 */
export async function prepareMachine(input: PrepareInput): Promise<PreparedMachine> {
  const manifests = await loadManifests();
  const base = findManifest(manifests, "base");
  const others = input.settings.SANDGATE_TEMPLATES.map((name) => findManifest(manifests, name)).filter(
    ({ name }) => name !== "base",
  );
  const machineEngine = await engineStep(input);
  const engine = createEngine(machineEngine.dialPath);
  try {
    const sandboxdPath = await sandboxdStep(input);
    await probeStep(input, engine, sandboxdPath);
    const templates: PreparedMachine["templates"] = [await imageStep(input, engine, base)];
    // One after the other: each of them uses all of the machine.
    for (const manifest of others) templates.push(await imageStep(input, engine, manifest));
    const { socketPath, startedByUs } = machineEngine;
    return { engine: { socketPath, startedByUs }, templates, sandboxdPath };
  } finally {
    engine.close();
    await machineEngine.close();
  }
}

function engineStep(input: PrepareInput): Promise<MachineEngine> {
  const dataDir = resolve(input.dataDir);
  return step(input, "Docker engine", async (report) => {
    const value = await ensureEngine({
      dockerHost: input.settings.DOCKER_HOST,
      paths: input.daemon ?? usualDaemon(dataDir),
      runner: createRunner({ report, signal: input.signal }),
      report,
    });
    return { value, sentence: `Docker engine at ${value.socketPath}${value.startedNow ? ", started" : ""}` };
  });
}

function sandboxdStep(input: PrepareInput): Promise<string> {
  return step(input, "sandboxd", async (report) => {
    const { signal } = input;
    const runner = createRunner({ report, signal });
    const { path, built } = await ensureSandboxd({ runner, report, signal });
    return { value: path, sentence: `sandboxd ${built ? "compiled" : "up to date"}` };
  });
}

function probeStep(input: PrepareInput, engine: Engine, sandboxdPath: string): Promise<boolean> {
  const { dataDir, settings, signal } = input;
  return step(input, "The engine shares this machine", async () => {
    const runDir = settings.SANDGATE_RUN_DIR;
    const { probed } = await ensureSharedMachine({ engine, sandboxdPath, dataDir, runDir, signal });
    return { value: probed, sentence: `The engine shares this machine${probed ? ", tried" : ""}` };
  });
}

function imageStep(input: PrepareInput, engine: Engine, manifest: LoadedManifest): Promise<PreparedTemplate> {
  return step(input, `Image of the template ${manifest.name}`, async (report) => {
    const { signal } = input;
    const runner = createRunner({ report, signal });
    const dataDir = resolve(input.dataDir);
    const made = await ensureImage({ manifest, engine, dataDir, runner, report, signal });
    const sentence = `Image ${made.image} ${made.built ? `built (${made.how})` : "up to date"}`;
    return { value: preparedTemplate(manifest, made), sentence };
  });
}

function step<T>(
  { report, isLive, signal }: PrepareInput,
  title: string,
  work: Parameters<typeof runStep<T>>[2],
): Promise<T> {
  signal?.throwIfAborted();
  return runStep({ report, isLive: isLive === true }, title, work);
}
