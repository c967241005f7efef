import { execFile, execFileSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { bundle } from "../../scripts/bundle.mjs";

test("a program that is built by many at once is whole at any moment, and takes nothing of npm into itself", async () => {
  const build = `
    import { bundle } from "./scripts/bundle.mjs";
    console.log(await bundle("agent-host/src/main.ts"));`;
  const run = async () => {
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", build]);
    return stdout.trim();
  };
  const path = await bundle("agent-host/src/main.ts");
  const before = readFileSync(path, "utf8");
  rmSync(path);
  expect(await Promise.all([run(), run(), run()])).toEqual([path, path, path]);
  expect(readFileSync(path, "utf8")).toBe(before);
  expect(before).toMatch(/^import .* from "pino";$/m);
  execFileSync(process.execPath, ["--check", path]);
});
