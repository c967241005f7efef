import { expect, test } from "vitest";
import { digestOf, imageTag } from "#templates/digest";
import { manifestOf } from "../../support/manifest.ts";

const contents = (text: string) => new Map([["files/motd", Buffer.from(text)]]);

test("the digest is the same whatever the order of the manifest's keys", () => {
  const turned = Object.fromEntries(Object.entries(manifestOf()).reverse());
  expect(digestOf({ ...manifestOf(), ...turned }, contents("a"))).toBe(digestOf(manifestOf(), contents("a")));
  expect(Object.keys(turned)).not.toEqual(Object.keys(manifestOf()));
  // The cast is of a manifest with its keys turned around, and only that.
  expect(digestOf(turned as ReturnType<typeof manifestOf>, contents("a"))).toBe(
    digestOf(manifestOf(), contents("a")),
  );
});

test("a changed manifest or a changed file is another digest", () => {
  const digests = [
    digestOf(manifestOf(), contents("a")),
    digestOf(manifestOf(), contents("b")),
    digestOf(manifestOf({ packages: ["git"] }), contents("a")),
    digestOf(manifestOf({ limits: { cpu: 2, memoryMiB: 256, pids: 256 } }), contents("a")),
  ];
  expect(new Set(digests).size).toBe(digests.length);
});

test("the tag is the name and the first 12 digits", () => {
  expect(imageTag("base", "0123456789abcdef")).toBe("sandgate/base:0123456789ab");
});
