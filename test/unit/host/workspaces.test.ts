import { expect, test } from "vitest";
import { workspaceKind } from "#host/workspaces/mountinfo";
import { freeDiskMiB, largestDiskMiB } from "#host/workspaces/room";

const facts = { freeMiB: 10_256, usedMiB: 0, promisedMiB: 0, overcommit: 2 };

test("disk may be promised beyond what is there by the overcommit, and no further", () => {
  expect(freeDiskMiB(facts)).toBe(20_000);
  expect(freeDiskMiB({ ...facts, promisedMiB: 19_000 })).toBe(1_000);
  expect(freeDiskMiB({ ...facts, promisedMiB: 21_000 })).toBe(0);
});

test("what workspaces have written already is not counted against them a second time", () => {
  expect(freeDiskMiB({ ...facts, freeMiB: 4_256, usedMiB: 6_000, promisedMiB: 8_000 })).toBe(12_000);
  // Written by anybody else, it is.
  expect(freeDiskMiB({ ...facts, freeMiB: 4_256, promisedMiB: 8_000 })).toBe(0);
});

test("nothing is promised of a disk that is short, whatever the overcommit", () => {
  expect(freeDiskMiB({ ...facts, freeMiB: 255, usedMiB: 50_000, overcommit: 64 })).toBe(0);
});

test("a disk smaller than what is kept free has room for none", () => {
  expect([largestDiskMiB(12, 2), largestDiskMiB(1_256, 2)]).toEqual([0, 2_000]);
});

const root = "90 80 0:50 / / ro,relatime - overlay overlay ro";
const folder =
  "94 90 0:44 /0badcafe /workspace rw,relatime master:2 - tmpfs sandgate-workspaces rw,size=1024k";
const disk = "58 94 7:0 / /workspace rw,nosuid,nodev,noatime master:4 - ext4 /dev/loop0 rw,discard";
const memory = "95 90 0:61 / /workspace rw,nosuid,nodev,relatime - tmpfs tmpfs rw,size=131072k";

test.each([
  ["loop", "a disk that was mounted after the start", [root, folder, disk]],
  ["missing", "the folder alone, which holds nothing and takes nothing", [root, folder]],
  ["tmpfs", "memory", [root, memory]],
  ["missing", "nothing", [root]],
])("a container's workspace is %s where it has %s", (kind, _what, lines) => {
  expect(workspaceKind(`${lines.join("\n")}\n`)).toBe(kind);
});
