import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const folder = fileURLToPath(new URL("../../agent-host/sandboxd", import.meta.url));

// A missing compiler fails these tests: the daemon is half of the project.
function make(...goals: string[]): string {
  return execFileSync("flock", [folder, "make", "-C", folder, ...goals], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
}

test("sandboxd builds without a warning and stays small", { timeout: 60_000 }, () => {
  make();
  expect(statSync(`${folder}/build/sandboxd`).size).toBeLessThan(1_000_000);
});

test("its unit tests pass under the sanitizers, and supervisors call nothing of libc", {
  timeout: 60_000,
}, () => {
  expect(make("check")).toContain("unit tests passed");
});

test("a bounded fuzz of all that reads the wire finds nothing", { timeout: 60_000 }, () => {
  expect(make("fuzz", "FUZZ_SECONDS=3")).toContain("no finding");
});
