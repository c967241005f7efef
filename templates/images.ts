import { createReadStream } from "node:fs";
import type { IncomingMessage } from "node:http";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { type Engine, EngineError } from "#host/engine/request";
import { proxyVariables } from "./proxy.ts";
import { imageEnvironment, imageWorkDir } from "./recipe.ts";

const answerMs = 10_000;
const transferMs = 900_000;

export type ImageLabels = Record<string, string>;

/** The labels of an image, or nothing when the engine has no such image. */
export async function imageLabels(engine: Engine, image: string): Promise<ImageLabels | undefined> {
  type Inspected = { Config?: { Labels?: ImageLabels | null } | null };
  try {
    const path = `/images/${image}/json`;
    const inspected = await engine.json<Inspected>({ method: "GET", path, deadlineMs: answerMs });
    return inspected.Config?.Labels ?? {};
  } catch (error) {
    if (error instanceof EngineError && error.status === 404) return undefined;
    throw error;
  }
}

/** Whether the engine has the image or a registry answers for it within ten seconds. */
export async function canPull(engine: Engine, image: string): Promise<boolean> {
  if ((await imageLabels(engine, image)) !== undefined) return true;
  try {
    // Asks for the manifest alone: a slow download must not be taken for a registry that does not answer.
    await engine.text({ method: "GET", path: `/distribution/${image}/json`, deadlineMs: answerMs });
    return true;
  } catch {
    return false;
  }
}

/** Builds an image from a context, a tar with a Dockerfile, on this machine's network: DNS and proxies are the host's. */
export async function buildImage(
  engine: Engine,
  image: string,
  context: Readable,
  how: { report: (line: string) => void; signal?: AbortSignal | undefined },
) {
  const query = new URLSearchParams({ t: image, networkmode: "host", rm: "1", forcerm: "1" });
  // Proxies are arguments that the engine knows by itself and keeps out of the image.
  query.set("buildargs", JSON.stringify(proxyVariables(process.env)));
  const headers = { "content-type": "application/x-tar" };
  const path = `/build?${query}`;
  const { signal } = how;
  const call = { method: "POST" as const, path, headers, stream: context, deadlineMs: transferMs, signal };
  await progress(await engine.open(call), how.report);
}

/** Removes the untagged layers that a failed build with this label left. */
export async function pruneLayers(engine: Engine, label: string): Promise<void> {
  const filters = encodeURIComponent(JSON.stringify({ dangling: ["true"], label: [label] }));
  await engine.text({ method: "POST", path: `/images/prune?filters=${filters}`, deadlineMs: 60_000 });
}

/** Makes an image of one layer out of a tar of its root file system. */
export async function importImage(
  engine: Engine,
  image: string,
  { tarPath, labels, signal }: { tarPath: string; labels: ImageLabels; signal?: AbortSignal | undefined },
): Promise<void> {
  const [repo = image, tag = "latest"] = image.split(":");
  const query = new URLSearchParams({ fromSrc: "-", repo, tag });
  for (const [name, value] of Object.entries(labels))
    query.append("changes", `LABEL ${name}=${JSON.stringify(value)}`);
  for (const [name, value] of Object.entries(imageEnvironment))
    query.append("changes", `ENV ${name}=${value}`);
  query.append("changes", `WORKDIR ${imageWorkDir}`);
  query.append("changes", 'CMD ["/bin/bash"]');
  await importTar(engine, query, createReadStream(tarPath), signal);
}

/** Imports a tar under the names and with the changes that the query holds. */
export async function importTar(
  engine: Engine,
  query: URLSearchParams,
  tar: Readable,
  signal?: AbortSignal,
): Promise<void> {
  const headers = { "content-type": "application/x-tar" };
  const path = `/images/create?${query}`;
  const call = { method: "POST" as const, path, headers, stream: tar, deadlineMs: transferMs, signal };
  await progress(await engine.open(call));
}

/** Reads the engine's progress to its end: an error in it comes after the status 200. @throws EngineError */
async function progress(response: IncomingMessage, report?: (line: string) => void): Promise<void> {
  for await (const line of createInterface({ input: response })) {
    if (line.trim() === "") continue;
    // One JSON object per line; these two fields are all we read.
    const step = JSON.parse(line) as { error?: string; stream?: string };
    if (step.error !== undefined)
      throw new EngineError(500, `The Docker engine stopped: ${step.error.trim()}.`);
    // Of a build, the steps are worth showing; what the commands in them say is not.
    const title = /^Step \d+\/\d+ : .{1,70}/.exec(step.stream ?? "")?.[0];
    if (title !== undefined) report?.(title);
  }
}
