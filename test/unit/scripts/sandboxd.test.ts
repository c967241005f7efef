import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Runner } from "#templates/runner";
import { ensureSandboxd } from "../../../scripts/start/sandboxd.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sandgate-sources-"));
  writeFileSync(
    join(folder, "Makefile"),
    "build/sandboxd: main.c\n\tmkdir -p build\n\tcp main.c build/sandboxd\n",
  );
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const unused = () => Promise.reject(new Error("not needed here"));
const runner: Runner = {
  run: async ([program = "", ...args]) => execFileSync(program, args, { encoding: "utf8" }),
  runAsRoot: unused,
  install: async () => undefined,
  refreshPackageLists: unused,
};
const ensure = (by = runner) => ensureSandboxd({ runner: by, report: () => undefined, folder });

test("sources that changed are compiled, however old their times are", async () => {
  const source = join(folder, "main.c");
  writeFileSync(source, "one");
  expect(await ensure()).toEqual({ path: join(folder, "build", "sandboxd"), built: true });
  expect((await ensure()).built).toBe(false);

  // As an archive, a copy or a clock that was set back leaves them.
  writeFileSync(source, "two");
  utimesSync(source, 1, 1);
  const { path, built } = await ensure();
  expect([built, readFileSync(path, "utf8")]).toEqual([true, "two"]);
});

test("two that find changed sources at once compile them once", async () => {
  writeFileSync(join(folder, "main.c"), "one");
  await ensure();
  writeFileSync(join(folder, "main.c"), "two");
  let runs = 0;
  const counted: Runner = {
    ...runner,
    run: (command) => {
      runs++;
      return runner.run(command);
    },
  };
  const both = await Promise.all([ensure(counted), ensure(counted)]);
  expect(both.map(({ built }) => built).sort()).toEqual([false, true]);
  expect(runs).toBe(1);
});
