import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { parseEnvFile } from "#contract/envfile";
import { settings } from "#contract/settings";
import { rowsOf } from "../support/books.ts";
import { machine, scratchFolder } from "../support/machine.ts";
import { npmStart, type Start } from "../support/npm-start.ts";
import { runScript } from "../support/shell.ts";
import {
  containersOf,
  hostIdOf,
  noTraces,
  probesOf,
  processesOf,
  readText,
  tracesOf,
} from "../support/traces.ts";

beforeAll(async () => {
  await machine();
});

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});
function folder(): string {
  const scratch = scratchFolder();
  cleanUps.push(scratch.dispose);
  return join(scratch.path, "data");
}

/** A start that a failing test does not leave behind. */
async function start(dataDir: string, overrides?: Record<string, string>): Promise<Start> {
  const started = await npmStart(dataDir, overrides);
  cleanUps.push(async () => {
    await started.stop("SIGTERM");
    await expect.poll(() => processesOf(dataDir), { timeout: 15_000 }).toEqual([]);
  });
  return started;
}

const secretFiles = ["secrets.env", "dev.env", "host/host.json"];
const contentsOf = (dataDir: string) => secretFiles.map((name) => readText(join(dataDir, name)));

/** Every secret of a data folder, whatever file it stands in. */
function secretsOf(dataDir: string): string[] {
  const env = { ...parseEnvFile(readText(join(dataDir, "secrets.env"))) };
  const dev = Object.entries(parseEnvFile(readText(join(dataDir, "dev.env"))));
  const keys = dev.filter(([name]) => name.endsWith("_KEY")).map(([, value]) => value);
  return [...Object.values(env), ...keys, JSON.parse(readText(join(dataDir, "host/host.json"))).key];
}

async function expectNothingLeft(dataDir: string, within = 1_000): Promise<void> {
  const hostId = hostIdOf(dataDir);
  await expect.poll(() => tracesOf(dataDir, hostId), { timeout: within }).toEqual(noTraces);
}

describe("npm start", () => {
  test("shows a demo and its settings but no secret, drains on a signal, and starts again with the same keys", async () => {
    const dataDir = folder();
    const first = await start(dataDir);
    await first.ready();
    expect(first.output()).toContain("275 words");
    for (const name of Object.keys(settings)) expect(first.output()).toContain(`  ${name} `);
    expect(first.output()).toMatch(/SANDGATE_ADMIN_KEY +\*{8} +file/);
    const [, nextSteps = ""] = first.output().split(/^Ready at .*$/m);
    expect(await runScript(nextSteps, dataDir)).toContain('"stdout":"42\\n"');
    const { id } = await first.api().create();
    expect(await first.stop("SIGTERM")).toBe(0);
    expect(first.output()).toContain("Nothing of Sandgate runs any more");
    await expectNothingLeft(dataDir);
    const { rows, held } = await rowsOf(dataDir);
    expect(rows).toContainEqual({ id, state: "ended", endReason: "host_lost" });
    expect([rows.filter(({ state }) => state !== "ended"), held]).toEqual([[], []]);

    const before = contentsOf(dataDir);
    const second = await start(dataDir, { SANDGATE_PORT: new URL(first.url).port });
    const { tookMs } = await second.ready();
    console.log(`A second npm start was ready in ${Math.round(tookMs)} ms.`);
    expect(tookMs).toBeLessThan(10_000);
    expect(contentsOf(dataDir)).toEqual(before);
    expect(await second.stop("SIGINT")).toBe(0);
    await expectNothingLeft(dataDir);

    const logs = ["agent-host.log", "control-plane.log"].map((name) => readText(join(dataDir, "logs", name)));
    const shown = [first.output(), second.output(), ...logs].join("\n");
    for (const secret of secretsOf(dataDir)) {
      expect(secret).toMatch(/^\w{40,}$/);
      expect(shown.includes(secret), "a secret is shown").toBe(false);
    }
    const modes = secretFiles.map((name) => (statSync(join(dataDir, name)).mode & 0o777).toString(8));
    expect(modes).toEqual(["600", "600", "600"]);
  });

  test("stopped before it is ready leaves nothing either, and says so with the signal's exit code", async () => {
    const dataDir = folder();
    const early = await start(dataDir);
    await early.says("Image ");
    expect(await early.stop("SIGINT")).toBe(130);
    expect(early.output()).toContain("Stopped.");
    await expectNothingLeft(dataDir);
  });
});

describe("kill -9", () => {
  test("of all of it: the next start takes over what still runs and settles what does not", async () => {
    const dataDir = folder();
    const first = await start(dataDir);
    await first.ready();
    const kept = (await first.api().create()).id;
    await first.api().write(kept, "note", "kept");
    for (const line of processesOf(dataDir)) process.kill(Number.parseInt(line, 10), "SIGKILL");
    expect(await first.ended).toBe("SIGKILL");
    await expect.poll(() => processesOf(dataDir), { timeout: 5_000 }).toEqual([]);
    expect((await containersOf(hostIdOf(dataDir))).length).toBeGreaterThan(0);

    const second = await start(dataDir);
    await second.ready();
    expect(String(await second.api().read(kept, "note"))).toBe("kept");
    await expect.poll(async () => (await rowsOf(dataDir)).held, { timeout: 10_000 }).toEqual([kept]);
    expect(await second.stop("SIGTERM")).toBe(0);
    await expectNothingLeft(dataDir);
    expect((await rowsOf(dataDir)).held).toEqual([]);
  });

  test("of a first start while it tries the engine: the next one removes what that left", async () => {
    const dataDir = folder();
    const first = await start(dataDir);
    const owners = new Set<number>();
    const left = async () => (await probesOf(owners)).map(({ id }) => id);
    const begun = () => {
      for (const line of processesOf(dataDir)) owners.add(Number.parseInt(line, 10));
      return left();
    };
    await expect.poll(begun, { timeout: 30_000, interval: 5 }).toHaveLength(2);
    await first.stop("SIGKILL");
    const [folderLeft = ""] = (await probesOf(owners)).flatMap(({ folders }) => folders);
    expect([(await left()).length, existsSync(folderLeft)]).toEqual([2, true]);

    const second = await start(dataDir);
    await second.says("The engine shares this machine, tried");
    expect([await left(), existsSync(folderLeft)]).toEqual([[], false]);
    await second.stop("SIGINT");
    await expectNothingLeft(dataDir);
  });

  test("of the start alone: its programs notice, drain and leave nothing", async () => {
    const dataDir = folder();
    const first = await start(dataDir);
    await first.ready();
    const { id } = await first.api().create();
    await first.stop("SIGKILL");
    await expectNothingLeft(dataDir, 15_000);
    expect((await rowsOf(dataDir)).rows.map((row) => row.id)).toContain(id);
  });
});

test("two at once on one machine share no uid, and the end of one is nothing to the other", async () => {
  const [one, other] = await Promise.all([start(folder()), start(folder())]);
  await Promise.all([one.ready(), other.ready()]);
  const { id } = await other.api().create();
  const hostIds = [hostIdOf(one.dataDir), hostIdOf(other.dataDir)] as const;
  const running = async (hostId: string) =>
    (await containersOf(hostId)).filter(({ isRunning }) => isRunning).length;
  await expect.poll(() => Promise.all(hostIds.map(running)), { timeout: 15_000 }).toEqual([2, 3]);
  const uids = (await Promise.all(hostIds.map(containersOf))).flat().map(({ uid }) => uid);
  expect(new Set(uids).size).toBe(uids.length);

  // The demo's sandbox may still be on its way out, and one for its place in the pool on its way in.
  const settled = async () => {
    const seen = await containersOf(hostIds[1]);
    await sleep(500);
    return isDeepStrictEqual(seen, await containersOf(hostIds[1])) ? seen.length : undefined;
  };
  await expect.poll(settled, { timeout: 15_000 }).toBe(3);
  const before = await containersOf(hostIds[1]);
  expect(await one.stop("SIGTERM")).toBe(0);
  await expectNothingLeft(one.dataDir);
  expect(await containersOf(hostIds[1])).toEqual(before);
  expect(await other.api().exec(id, "echo alone")).toMatchObject({ stdout: "alone\n" });
  expect(await other.stop("SIGTERM")).toBe(0);
  await expectNothingLeft(other.dataDir);
});
