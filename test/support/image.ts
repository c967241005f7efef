import { createEngine, engineSocketPath } from "#host/engine/request";

const image = process.env.SANDGATE_TEST_IMAGE ?? "sandgate/base:dev";

/** The image that suites start sandboxes from: Debian with Python. Throws a sentence to act on when it is absent. */
export async function baseImage(): Promise<string> {
  const engine = createEngine(engineSocketPath(process.env.DOCKER_HOST));
  try {
    await engine.json({
      method: "GET",
      path: `/images/${encodeURIComponent(image)}/json`,
      deadlineMs: 10_000,
    });
    return image;
  } catch (cause) {
    throw new Error(`The image ${image} is not there. Build the base template, or set SANDGATE_TEST_IMAGE.`, {
      cause,
    });
  } finally {
    engine.close();
  }
}
