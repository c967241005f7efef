import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { resultsOf, withResults } from "#test/bench/docs";
import { summarize } from "#test/bench/figures/measure";
import type { Report } from "#test/bench/report";

const page = readFileSync(new URL("../../../docs/benchmark.md", import.meta.url), "utf8");
const report: Report = {
  mode: "full",
  seconds: 900,
  method: [],
  skipped: [{ name: "density 800", reason: "there is too little memory" }],
  notes: [],
  environment: {
    date: "2026-01-31",
    commit: "abc1234",
    cpu: "a processor",
    cores: 2,
    memoryGiB: 24,
    freeGiB: 20,
    loadBefore: 0.1,
    kernel: "6.1",
    node: "v20",
    engine: "Docker 20.10",
    path: "over loopback",
  },
  rows: [
    { name: "exec true", sample: summarize([1.5]) },
    { name: "interactive, sequential", sample: summarize([21]) },
    { name: "50 creates at once", sample: summarize([100, 140]) },
  ],
};

test("the page has its place for results, and a second run replaces the first", () => {
  const once = withResults(page, "first results");
  const twice = withResults(once, "second results");
  expect(twice).not.toContain("first results");
  expect(twice).toBe(withResults(page, "second results"));
  expect(twice.split("second results")[0]).toBe(
    withResults(page, "").slice(0, twice.indexOf("second results")),
  );
  expect(() => withResults("# Another page", "x")).toThrow("no place for results");
});

test("the results name their machine, what was skipped, and stand beside others' in the same unit", () => {
  const text = resultsOf(report);
  expect(text).toContain("| exec true | 1 | 1.50 | 1.50 | 1.50 |");
  expect(text).toContain("2 cores of a processor, 24 GiB");
  expect(text).toContain("Over loopback.");
  expect(text).toContain("Density 800 was skipped: there is too little memory.");
  expect(text).toMatch(/\| \*\*Sandgate, over loopback\*\* \| 0\.021 \| {2}\| {2}\| {2}\|/);
  expect(text).toContain("| E2B | 0.40 | 0.33 | 0.60 | 1.55 |");
  expect(text).toContain("| 50 | 15300 (92 % came up) | 4208 | 120 |");
});

test("results that are not the last word say why, and only those", () => {
  expect(resultsOf(report)).not.toContain("To be measured again");
  const quick = resultsOf({ ...report, mode: "quick" });
  expect(quick).toContain("**To be measured again:** the run was a quick one.");
  const environment = { ...report.environment, loadBefore: 3.5, commit: "abc1234, changed" };
  const doubtful = resultsOf({ ...report, environment, rows: [] });
  for (const doubt of ["load 3.5", "the source was being changed", "not all cases were run"])
    expect(doubtful).toContain(doubt);
});
