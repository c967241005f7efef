import { expect, test } from "vitest";
import { parseEnvFile } from "#contract/envfile";
import { resolveSettings } from "#contract/settings";
import { readSettingsFile, settingsTable } from "../../../scripts/start/settings.ts";

test("an environment file has comments, quotes and exports, and expands nothing", () => {
  const text = [
    "# a comment",
    "",
    "PLAIN=a#b # said after a blank",
    'export QUOTED="a b" # why',
    "SINGLE='$HOME'",
    "EMPTY=",
    "TWICE=1",
    "TWICE=2\r",
  ].join("\n");
  expect(parseEnvFile(text)).toEqual({
    PLAIN: "a#b",
    QUOTED: "a b",
    SINGLE: "$HOME",
    EMPTY: "",
    TWICE: "2",
  });
});

test("a line that is no assignment is named by its number", () => {
  expect(() => parseEnvFile("A=1\nexport B\n")).toThrow("Line 2 is not NAME=value.");
  expect(() => parseEnvFile('A="open')).toThrow("Line 1 has a quote that is not closed");
});

test("a settings file with a name that means nothing is refused", () => {
  expect(() => readSettingsFile("SANDGATE_PROT=1", "s.env")).toThrow(
    "s.env sets SANDGATE_PROT, which is not a setting.",
  );
  expect(() => readSettingsFile("SANDGATE_DATA_DIR=x", "s.env")).toThrow("cannot set it");
  expect(() => readSettingsFile("nonsense", "s.env")).toThrow("s.env: Line 1");
});

test("the table says where each value came from and never shows a secret", () => {
  const file = readSettingsFile("SANDGATE_PORT=9000\nSANDGATE_ADMIN_KEY=hunter2", "s.env");
  const lines = settingsTable(resolveSettings({ SANDGATE_BIND: "0.0.0.0" }, file));
  const row = (name: string) => lines.find((line) => line.startsWith(`${name} `))?.split(/\s+/);
  expect(row("SANDGATE_PORT")).toEqual(["SANDGATE_PORT", "9000", "file"]);
  expect(row("SANDGATE_BIND")).toEqual(["SANDGATE_BIND", "0.0.0.0", "environment"]);
  expect(row("SANDGATE_POOL_MAX")).toEqual(["SANDGATE_POOL_MAX", "80", "default"]);
  expect(row("SANDGATE_ADMIN_KEY")).toEqual(["SANDGATE_ADMIN_KEY", "********", "file"]);
  expect(lines.join("\n")).not.toContain("hunter2");
});
