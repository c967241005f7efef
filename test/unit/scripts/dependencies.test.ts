import { expect, test } from "vitest";
import { isInstalled } from "../../../scripts/dependencies.mjs";

const wanted = {
  packages: {
    "": { version: "0.1.0" },
    "node_modules/a": { version: "1.0.0" },
    "node_modules/other-system": { version: "2.0.0", optional: true },
  },
};

test("dependencies are fresh when every package has the version of the lock file", () => {
  expect(isInstalled(wanted, { packages: { "node_modules/a": { version: "1.0.0" } } })).toBe(true);
});

test("nothing installed, a missing package and another version all mean npm ci", () => {
  expect(isInstalled(wanted, undefined)).toBe(false);
  expect(isInstalled(wanted, { packages: {} })).toBe(false);
  expect(isInstalled(wanted, { packages: { "node_modules/a": { version: "1.0.1" } } })).toBe(false);
});

test("an optional package may be absent but not of another version", () => {
  const a = { "node_modules/a": { version: "1.0.0" } };
  const other = { "node_modules/other-system": { version: "1.9.0" } };
  expect(isInstalled(wanted, { packages: { ...a, ...other } })).toBe(false);
});
