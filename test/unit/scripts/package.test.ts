import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const { scripts } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8")) as {
  scripts: Record<string, string>;
};

// npm signals the shell it started and waits for that alone: a shell that does not become the program leaves it behind.
test("a signal to npm reaches the program, not only the shell in between", () => {
  for (const [name, command] of Object.entries(scripts)) {
    if (command.includes("node ")) expect(command, name).toMatch(/^exec node /);
  }
});
