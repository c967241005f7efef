import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { machine, scratchFolder } from "../support/machine.ts";
import { npmStart } from "../support/npm-start.ts";
import { hostIdOf, noTraces, processesOf, tracesOf } from "../support/traces.ts";

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

/** A small file system of its own at the path, until the test is over. */
function mountAt(path: string, options: string): void {
  mkdirSync(path, { recursive: true });
  execFileSync("mount", ["-t", "tmpfs", "-o", options, "sandgate-test", path]);
  cleanUps.push(() => execFileSync("umount", [path]));
}

/** Runs a start that must not come up, and returns the one sentence that it ended with. */
async function refusal(dataDir: string, overrides?: Record<string, string>): Promise<string> {
  const start = await npmStart(dataDir, overrides);
  cleanUps.push(() => start.stop("SIGTERM"));
  const outcome = await Promise.race([start.ended, start.ready().catch(() => start.ended)]);
  expect(outcome, start.output()).toBe(1);
  expect(start.output()).not.toMatch(/^\s+at |\bError:/m);
  expect(processesOf(dataDir)).toEqual([]);
  if (existsSync(join(dataDir, "host", "host.json"))) {
    expect(await tracesOf(dataDir, hostIdOf(dataDir))).toEqual(noTraces);
  }
  const sentence = start.output().trimEnd().split("\n").at(-1) ?? "";
  expect(sentence).toMatch(/^[A-Z].+\.$/);
  return sentence;
}

describe("npm start ends with one sentence and exit code 1, and leaves nothing, when", () => {
  test("its port is taken", async () => {
    const server = createServer((_request, response) => response.writeHead(404).end());
    server.listen(0, "127.0.0.1");
    cleanUps.push(() => server.close());
    await new Promise((resolve) => server.once("listening", resolve));
    const address = server.address();
    const SANDGATE_PORT = String(typeof address === "object" ? address?.port : "");
    expect(await refusal(folder(), { SANDGATE_PORT })).toMatch(/already in use.+SANDGATE_PORT/);
  });

  test("a setting makes no sense", async () => {
    expect(await refusal(folder(), { SANDGATE_POOL_MAX: "many" })).toMatch(/^SANDGATE_POOL_MAX is "many"/);
  });

  test("its data folder cannot be written", async () => {
    const dataDir = folder();
    mountAt(dataDir, "ro,size=3m");
    expect(await refusal(dataDir)).toMatch(/read-only/);
  });

  test("its data folder is a file", async () => {
    const dataDir = folder();
    writeFileSync(dataDir, "");
    expect(await refusal(dataDir)).toContain(dataDir);
  });

  // What is left decides how far a start gets before it meets the end of the disk.
  test.each([0, 8, 120])("the disk of its data folder has %d KiB left", async (leftKiB) => {
    const dataDir = folder();
    mountAt(dataDir, "size=3m");
    writeFileSync(join(dataDir, "ballast"), Buffer.alloc((3 * 1024 - leftKiB) * 1024));
    expect(await refusal(dataDir)).toMatch(/disk is full/);
  });
});
