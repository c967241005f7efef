import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { scratchFolder } from "#test/support/machine";
import { startChild } from "../../../scripts/start/child.ts";

let folder: ReturnType<typeof scratchFolder>;
beforeEach(() => {
  folder = scratchFolder();
});
afterEach(() => folder.dispose());

test.each([
  ["could not be started", "/there/is/no/such/program"],
  ["has ended", "false"],
])("a program that %s has no process id that a signal could be sent to", async (_what, program) => {
  const entry = "scripts/edge/hrana-process.ts";
  const logPath = join(folder.path, "log");
  const input = { name: "probe", entry, environment: process.env, logPath, asRoot: [program] };
  const child = await startChild(input);
  await expect(child.ready).rejects.toThrow("probe");
  await child.died;
  expect(() => child.pid).toThrow("The probe does not run.");
});
