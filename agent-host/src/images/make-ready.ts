import type { Logger } from "pino";
import { inParallel } from "#contract/parallel";
import type { Engine } from "../engine/request.ts";
import { imageId, pullImage } from "./pull.ts";

type Deps = {
  engine: Engine;
  /** Members of this template are made of this image from now on. */
  onReady: (template: string, imageId: string) => void;
  log: Logger;
  /** Where `docker login` keeps what it knows, if not in the usual place. */
  configFolder?: string;
};

/** More at once only share the line and the disk. */
const pullsMax = 3;

/**
 * Sees to it that the engine has the image of every template, a few at a time. What is there is never fetched. A
 * template whose image cannot be had is served once somebody puts it there; the others do not wait for it.
 */
export async function makeImagesReady(
  deps: Deps,
  templates: readonly { name: string; image: string }[],
): Promise<void> {
  await inParallel(templates, pullsMax, async ({ name, image }) => {
    try {
      deps.onReady(name, await ready(deps, image));
    } catch (cause) {
      deps.log.error({ err: cause, template: name, image }, "the image of a template is not there");
    }
  });
}

async function ready({ engine, log, configFolder }: Deps, image: string): Promise<string> {
  const known = await imageId(engine, image);
  if (known !== undefined) return known;
  log.info({ image }, "fetching an image");
  await pullImage(engine, image, configFolder);
  const fetched = await imageId(engine, image);
  if (fetched === undefined)
    throw new Error(`The engine says that it has fetched ${image}, and does not have it.`);
  return fetched;
}
