import { expect, test } from "vitest";
import { failureSentence, runCommand } from "../../../scripts/start/command.ts";

test("a full disk, a password prompt and apt's own words each become one sentence", () => {
  expect(
    failureSentence("mmdebstrap", ["tar: x: Cannot write: No space left on device", "E: tar failed"]),
  ).toBe("The disk is full: mmdebstrap ran out of space; free some and start again.");
  expect(failureSentence("apt-get", ["sudo: a password is required"])).toMatch(/^apt-get needs root/);
  expect(failureSentence("apt-get", ["Reading...", "E: Unable to locate package x", "done."])).toBe(
    "apt-get failed: E: Unable to locate package x.",
  );
  expect(failureSentence("make", [])).toBe("make failed: it did not say why.");
});

test("a failure is told under the command's own name, not its wrapper's", async () => {
  await expect(runCommand(["env", "A=1", "sh", "-c", "echo no >&2; exit 3"])).rejects.toThrow(
    "sh failed: no.",
  );
});

test("a command that does not exist is a sentence and no stack", async () => {
  await expect(runCommand(["/nonexistent/x"])).rejects.toThrow("/nonexistent/x could not be started");
});

test("output comes back, error lines are reported, input is empty", async () => {
  const lines: string[] = [];
  const output = await runCommand(["sh", "-c", "cat; echo out; echo err >&2"], {
    onLine: (line) => lines.push(line),
  });
  expect(output).toBe("out\n");
  expect(lines).toEqual(["err"]);
});
