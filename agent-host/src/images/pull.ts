import { createInterface } from "node:readline";
import { type Engine, EngineError } from "../engine/request.ts";
import { registryAuth } from "./credentials.ts";
import { pullQuery, registryOf } from "./reference.ts";

const answerMs = 10_000;
const pullMs = 900_000;

/** The engine's own id of an image, which no later tag moves; `undefined` when it has none of this name. */
export async function imageId(engine: Engine, image: string): Promise<string | undefined> {
  try {
    const path = `/images/${image}/json`;
    return (await engine.json<{ Id: string }>({ method: "GET", path, deadlineMs: answerMs })).Id;
  } catch (cause) {
    if (cause instanceof EngineError && cause.status === 404) return undefined;
    throw cause;
  }
}

/** Has the engine fetch an image, with the credentials of its registry. @throws EngineError */
export async function pullImage(engine: Engine, image: string, configFolder?: string): Promise<void> {
  const auth = await registryAuth(registryOf(image), configFolder);
  const response = await engine.open({
    method: "POST",
    path: `/images/create?${pullQuery(image)}`,
    ...(auth !== undefined && { headers: { "x-registry-auth": auth } }),
    deadlineMs: pullMs,
  });
  for await (const line of createInterface({ input: response })) {
    if (line.trim() === "") continue;
    // One JSON object per line; a failure comes after the status 200.
    const { error } = JSON.parse(line) as { error?: string };
    if (error !== undefined)
      throw new EngineError(500, `The image ${image} was not fetched: ${error.trim()}.`);
  }
}
