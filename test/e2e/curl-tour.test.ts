import { readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { expectBooksToAgree, rowsOf } from "../support/books.ts";
import { scratchFolder } from "../support/machine.ts";
import { runScript } from "../support/shell.ts";
import { type TestStack, testStack } from "../support/stack.ts";

const projectFolder = join(import.meta.dirname, "..", "..");

let stack: TestStack;
const folder = scratchFolder();
beforeAll(async () => {
  stack = await testStack();
  // The tour is written for the project's folder, with the data folder that npm start uses by itself.
  symlinkSync(stack.dataDir, join(folder.path, ".sandgate"));
  symlinkSync(join(projectFolder, "docs"), join(folder.path, "docs"));
});
afterAll(async () => {
  await stack?.dispose();
  folder.dispose();
});

test("the tour of the README works as it is written, and ends what it has made", async () => {
  const readme = readFileSync(join(projectFolder, "README.md"), "utf8");
  const blocks = [...readme.matchAll(/^```sh tour\n(.*?)^```$/gms)].map(([, block]) => block ?? "");
  expect(blocks.length, "blocks marked `sh tour`").toBeGreaterThan(0);
  const printed = await runScript(blocks.join("\n"), folder.path);
  expect(printed).not.toContain("urn:sandgate:error");
  expect(printed, "refused by the budget, then by the count").toMatch(/^402\n429\n/m);
  expect(printed).toMatch(/"listMicros":[1-9]/);
  expect(printed).toMatch(/^total,/m);
  expect((await rowsOf(stack.dataDir)).rows.length).toBeGreaterThan(0);
  await expectBooksToAgree(stack, []);
});
