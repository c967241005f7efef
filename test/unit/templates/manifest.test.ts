import { describe, expect, test } from "vitest";
import { findManifest, loadManifests, parseManifest } from "#templates/manifest";
import { manifestOf } from "../../support/manifest.ts";

const refusals: [string, object][] = [
  ["a name with upper case", { name: "Base" }],
  ["a name of 64 characters", { name: "a".repeat(64) }],
  ["a registry host in from", { from: "registry.example/debian" }],
  ["a package that is an option", { packages: ["--allow-unauthenticated"] }],
  ["a package with a blank", { packages: ["git curl"] }],
  ["a file from outside its folder", { files: [{ source: "../secret", path: "/etc/x", mode: "0644" }] }],
  ["a file with a setuid mode", { files: [{ source: "x", path: "/usr/bin/x", mode: "4755" }] }],
  ["a file with a relative path", { files: [{ source: "x", path: "etc/x", mode: "0644" }] }],
  ["a step of two lines", { steps: ["true\nUSER root"] }],
  ["a step that swallows the next line", { steps: ["true \\"] }],
  ["a user that is no user name", { user: "user:0" }],
  ["a profile that does not exist", { profile: "open" }],
  ["memory below what a sandbox needs", { limits: { cpu: 1, memoryMiB: 16, pids: 256 } }],
  ["a field that does not exist", { entrypoint: "sh" }],
];

describe("a manifest is refused for", () => {
  test.each(refusals)("%s", (_what, change) => {
    const json = JSON.stringify({ ...manifestOf(), ...change });
    expect(() => parseManifest(json, "t/template.json")).toThrow(/^t\/template\.json is not a template: /);
  });

  test("not being JSON", () => {
    expect(() => parseManifest("{", "t/template.json")).toThrow("t/template.json is not JSON.");
  });
});

test("every manifest in the project loads, and base answers to its aliases", async () => {
  const manifests = await loadManifests();
  const base = findManifest(manifests, "base");
  expect(base.profile).toBe("strict");
  expect(findManifest(manifests, "python")).toBe(base);
  expect(findManifest(manifests, "node")).toBe(base);
});

test("a template that does not exist is named together with those that do", async () => {
  expect(() => findManifest([{ ...manifestOf(), folder: "/t" }], "ruby")).toThrow(
    "named ruby; there are: probe.",
  );
});
