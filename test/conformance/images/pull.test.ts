import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createEngine, type Engine } from "#host/engine/request";
import { makeImagesReady } from "#host/images/make-ready";
import { imageId } from "#host/images/pull";
import { machine } from "../../support/machine.ts";
import { type TestRegistry, testRegistry } from "../../support/registry.ts";

const credentials = "puller:a secret";
let engine: Engine;
let registry: TestRegistry;
let baseImage: string;
const configFolder = mkdtempSync(join(tmpdir(), "sandgate-docker-"));
const lines: string[] = [];
const log = pino({ level: "info" }, { write: (line: string) => void lines.push(line) });
/** Names of images that the tests have brought to this machine. */
const brought = new Set<string>();

beforeAll(async () => {
  const { engine: found, templates } = await machine();
  engine = createEngine(found.socketPath);
  baseImage = templates[0].image;
  registry = await testRegistry(randomBytes(8).toString("hex"), credentials);
});
afterAll(async () => {
  for (const image of brought) {
    await engine
      .text({ method: "DELETE", path: `/images/${image}?force=1`, deadlineMs: 30_000 })
      .catch(() => undefined);
  }
  rmSync(configFolder, { recursive: true, force: true });
  engine?.close();
  await registry?.close();
});

function logIn(auth: string): void {
  const auths = { [registry.host]: { auth: Buffer.from(auth).toString("base64") } };
  writeFileSync(join(configFolder, "config.json"), JSON.stringify({ auths }));
}
/** What the templates with these images come to. */
async function ready(images: readonly string[]): Promise<Map<string, string>> {
  const made = new Map<string, string>();
  for (const image of images) if (image.startsWith(registry.host)) brought.add(image);
  const onReady = (template: string, id: string) => void made.set(template, id);
  const templates = images.map((image) => ({ name: image, image }));
  await makeImagesReady({ engine, log, configFolder, onReady }, templates);
  return made;
}

test("an image that is there is never fetched, and members are made of it whatever its tag becomes", async () => {
  const made = await ready([baseImage]);
  expect(made.get(baseImage)).toMatch(/^sha256:[0-9a-f]{64}$/);
  expect(made.get(baseImage)).toBe(await imageId(engine, baseImage));
  expect(registry.requests).toEqual([]);
});

test("without credentials a private image is not there, the others are, and the log says which and why", async () => {
  const image = `${registry.host}/team/private:1`;
  const made = await ready([image, baseImage]);
  expect([...made.keys()]).toEqual([baseImage]);
  const failures = lines.filter((line) => line.includes("the image of a template is not there"));
  expect(failures).toHaveLength(1);
  expect(failures[0]).toContain(image);
});

test("wrong credentials are refused and shown nowhere", async () => {
  logIn("puller:wrong hunter2");
  expect((await ready([`${registry.host}/team/private:1`])).size).toBe(0);
  expect(registry.requests.some(({ authorization }) => authorization?.startsWith("Basic "))).toBe(true);
  expect(lines.join("\n")).not.toMatch(/hunter2|a secret/);
});

test("an image of a private registry is fetched once, by its tag or its digest, with what docker login has left", async () => {
  logIn(credentials);
  const byTag = `${registry.host}/team/private:1`;
  const byDigest = `${registry.host}/team/other@${registry.digest}`;
  const made = await ready([byTag, byDigest]);
  expect(made.get(byTag)).toBe(await imageId(engine, byTag));
  // One image under both names.
  expect(new Set(made.values()).size).toBe(1);
  const asked = registry.requests.length;
  expect(await ready([byTag, byDigest])).toEqual(made);
  expect(registry.requests).toHaveLength(asked);
  expect(lines.join("\n")).not.toContain("a secret");
});

test("three images are fetched at once, and no more", async () => {
  logIn(credentials);
  const images = [1, 2, 3, 4, 5, 6, 7].map((number) => `${registry.host}/team/many-${number}:1`);
  expect((await ready(images)).size).toBe(7);
  expect(registry.mostAtOnce()).toBeGreaterThan(1);
  expect(registry.mostAtOnce()).toBeLessThanOrEqual(3);
});
