import { expect, test } from "vitest";
import { catalogue, notQuick, stages } from "#test/bench/catalogue";
import { helpText, OptionError, parseOptions } from "#test/bench/options";
import { scales } from "#test/bench/scale";

const names = ["create", "exec", "files"];

test("without options everything is run, in the order of the catalogue", () => {
  expect(parseOptions([], names)).toEqual({ isQuick: false, only: names, isHelp: false });
  expect(parseOptions(["--only", "files,create", "--quick", "--json", "out.json"], names)).toEqual({
    isQuick: true,
    only: ["create", "files"],
    isHelp: false,
    jsonPath: "out.json",
  });
  expect(parseOptions(["--docs", "out.json"], names).docsPath).toBe("out.json");
});

test.each([
  [["--only", "exec,exek"], "There is no case named exek; there are create, exec, files."],
  [["--only", ","], "--only takes names with commas between them: create, exec, files."],
  [["--fast"], "--fast"],
  [["--json"], "--json"],
  [["exec"], "exec"],
])("%j is refused with one sentence that names it", (args, sentence) => {
  expect(() => parseOptions(args, names)).toThrow(OptionError);
  expect(() => parseOptions(args, names)).toThrow(sentence);
});

test("the help names every case", () => {
  const help = helpText(catalogue);
  for (const { name, about } of catalogue) expect(help).toMatch(new RegExp(`^  ${name} +${about}$`, "m"));
});

test("cases have names of their own, those of one stage follow each other, and what is left out exists", () => {
  const all = catalogue.map(({ name }) => name);
  expect(new Set(all).size).toBe(all.length);
  const changes = catalogue.filter(({ stage }, at) => stage !== catalogue[at - 1]?.stage);
  expect(changes.map(({ stage }) => stage)).toEqual(Object.keys(stages));
  for (const name of notQuick) expect(all).toContain(name);
});

test("no case asks for more sandboxes than its stage's pool may hold", () => {
  for (const scale of [scales.quick, scales.full]) {
    const { target, max } = stages.crowd.pool(scale);
    const most = Math.max(scale.interactive, scale.crowd, ...scale.creates.map(({ atOnce }) => atOnce));
    expect(target).toBeGreaterThanOrEqual(most);
    expect(max).toBeGreaterThanOrEqual(target + most);
    expect(stages.bare.pool(scale).max).toBeGreaterThan(Math.max(...scale.density));
  }
});
