import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { projectFiles, textOf } from "#test/support/tree";

const page = readFileSync(new URL("../../docs/security.md", import.meta.url), "utf8");
/** The ids in the last column of the page's tables; `H4-H12` stands for all between. */
const cited = page.split("\n").flatMap((line) => {
  const [, tests = ""] = /^\|.*\|([^|]*)\|$/.exec(line) ?? [];
  return [...tests.matchAll(/([FH])(\d+)(?:-[FH](\d+))?/g)].flatMap(([, letter = "", from, to = from]) =>
    Array.from({ length: Number(to) - Number(from) + 1 }, (_, i) => `${letter}${Number(from) + i}`),
  );
});

/** The ids with which a string of a test begins: a test's name, a chapter's, or a row's that both are made from. */
function named(folder: string, letter: "F" | "H"): string[] {
  const files = projectFiles().filter((path) => path.startsWith(folder) && path.endsWith(".ts"));
  const ids = files.flatMap((path) =>
    [...textOf(path).matchAll(/["'`]((?:[FH]\d+,? ?)+):? /g)].flatMap(
      ([, all = ""]) => all.match(/[FH]\d+/g) ?? [],
    ),
  );
  return ids.filter((id) => id.startsWith(letter));
}

test.each([
  ["attack", "test/hostile/", "H"],
  ["fault", "test/e2e/", "F"],
] as const)(
  "every %s that the security page names has a test, and every such test is on the page",
  (_what, folder, letter) => {
    const onPage = new Set(cited.filter((id) => id.startsWith(letter)));
    const inTests = new Set(named(folder, letter));
    expect([...onPage].sort()).toEqual([...inTests].sort());
  },
);
